# rn-bench: columns and sense of the figures, on narrow networks; no speed is asserted.
load helpers

bench() {
    rn-bench "$@" --repeats 1
}

row() { # row N NAME: that column of the N-th row
    awk -F '\t' -v row="$1" -v name="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        NR == row + 1 { print $at }'
}

@test "peak" {
    bench peak -j 1,2 >"$BATS_TEST_TMPDIR/peak"
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/peak" | tr '\t' ' ')" = 'threads gflops_median gflops_min gflops_max isa cores cpu' ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/peak")" -eq 3 ]
    awk -F '\t' 'NR > 1 && !($2 > 0 && NF == 7 && $7 != "") { exit 1 }' "$BATS_TEST_TMPDIR/peak"
}

@test "infer and train: the columns, a row for each batch and number of threads" {
    for command in infer train; do
        bench $command "$NET" -b 1,4 -j 1,2 >"$BATS_TEST_TMPDIR/out"
        [ "$(head -n 1 "$BATS_TEST_TMPDIR/out" | tr '\t' ' ')" = "peer network mode batch threads images_per_s_median \
images_per_s_min images_per_s_max ms_median gflops pct_peak isa cores cpu" ]
        [ "$(tail -n +2 "$BATS_TEST_TMPDIR/out" | cut -f 1-5 | tr '\t' ' ')" = "$(
            for j in 1 2; do for b in 1 4; do echo "rn $NET float32 $b $j"; done; done
        )" ]
        awk -F '\t' 'NR > 1 && !(NF == 14 && $7 <= $6 && $6 <= $8 && $10 > 0 && $11 > 0) { exit 1 }' "$BATS_TEST_TMPDIR/out"
        awk -F '\t' 'NR > 1 { ms = 1000 * $4 / $6; if (ms / $9 > 1.01 || $9 / ms > 1.01) exit 1 }' "$BATS_TEST_TMPDIR/out"
    done
}

@test "gflops are 2 operations a multiply-accumulate, three times that for training" {
    macs=$(rn-summary --json "$NET" | jq .macs)
    for command in infer train; do
        bench $command "$NET" -b 8 -j 1 >"$BATS_TEST_TMPDIR/out"
        awk -F '\t' -v macs="$macs" -v times="$([ $command = train ] && echo 3 || echo 1)" 'NR == 2 {
            want = 2e-9 * macs * times * $6
            exit !($10 > 0.99 * want - 0.01 && $10 < 1.01 * want + 0.01) }' "$BATS_TEST_TMPDIR/out"
    done
}

@test "conv: every convolution and pass; the first has no gradient of its input" {
    bench conv "$NET" -b 2 -j 1 >"$BATS_TEST_TMPDIR/out"
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/out" | tr '\t' ' ')" = \
        'network layer pass shape output algorithm batch threads ms_median gflops pct_peak isa cores cpu' ]
    convolutions=$(rn-summary --depth layer "$NET" | cut -f 3 | grep -c '^convolution')
    [ "$(tail -n +2 "$BATS_TEST_TMPDIR/out" | wc -l)" -eq $((3 * convolutions - 1)) ]
    [ "$(cut -f 2,3 "$BATS_TEST_TMPDIR/out" | grep -c $'^conv1\tbackward-data')" -eq 0 ]
    awk -F '\t' 'NR > 1 && !(NF == 14 && $9 > 0 && $10 >= 0) { exit 1 }' "$BATS_TEST_TMPDIR/out"
}

@test "--size, --isa and several networks" {
    [ "$(bench infer "$NET" "$NET,classes=3" --size 16 -j 1 --isa ref | wc -l)" -eq 3 ]
    [ "$(bench infer "$NET" --size 16x24 -j 1 --isa ref | row 1 isa)" = ref ]
}

@test "what can't be done: one line and exit 2" {
    fails 2 'no sub-command' rn-bench
    fails 2 'takes peak, conv, infer or train' rn-bench inferr resnet18
    fails 2 'no SPEC' rn-bench infer
    fails 2 'peak takes no' rn-bench peak resnet18
    run --separate-stderr rn-bench infer resnet81
    [ "$status" -eq 2 ]
    one_error rn-bench 'nearest is resnet18'
}
