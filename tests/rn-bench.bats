# rn-bench: columns and sense of the figures, on narrow networks; no speed is asserted.
load helpers

setup_file() {
    small_world 64 32
}

bench() {
    rn-bench "$@" --repeats 1
}

header() { # header FILE: its first line, blanks for tabs
    head -n 1 "$1" | tr '\t' ' '
}

# column FILE NAME: the values of that column, a line each.
column() {
    awk -F '\t' -v name="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { print $at }' "$1"
}

# holds FILE EXPRESSION: the awk expression, with column names in braces, is true in every row.
holds() {
    [ "$(wc -l <"$1")" -gt 1 ]
    awk -F '\t' -v OFS='\t' "NR == 1 { for (i = 1; i <= NF; i++) at[\$i] = i; next }
        NF != length(at) || !($(sed 's/{\([a-z0-9_]*\)}/$at["\1"]/g' <<<"$2")) { print; bad = 1 } END { exit bad }" "$1"
}

# scale FACTOR MEDIAN LEAST MOST: stdin with these columns multiplied.
scale() {
    awk -F '\t' -v OFS='\t' -v by="$1" -v a="$2" -v b="$3" -v c="$4" '
        NR > 1 { $a *= by; $b *= by; $c *= by }
        { print }'
}

@test "peak: multiply-adds of each instruction set, reading from each level" {
    out=$BATS_TEST_TMPDIR/peak
    bench peak -j 1,2 >"$out"
    [ "$(header "$out")" = 'what isa threads median min max unit cache_bytes cores cpu' ]
    holds "$out" '{min} > 0 && {min} <= {median} && {median} <= {max} && {cpu} != ""'
    holds "$out" '{unit} == ({what} == "fma" ? "GFLOP/s" : "GB/s")'
    holds "$out" '({cache_bytes} != "") == ({what} ~ /_L/)'
    for j in 1 2; do
        for what in fma read_L1 read_DRAM; do
            cut -f 1,3 "$out" | grep -qx "$what"$'\t'"$j"
        done
    done
    [ "$(bench peak -j 1 --isa ref | cut -f 1,2 | grep -c $'^fma\tref')" -eq 1 ]
    [ "$(bench peak -j 1 --isa ref | grep -c ^fma)" -eq 1 ]
}

@test "infer and train: the columns, a row for each batch and number of threads" {
    out=$BATS_TEST_TMPDIR/out
    begin="peer network mode batch threads images_per_s_median images_per_s_min images_per_s_max"
    for command in infer train; do
        bench $command "$NET" -b 1,4 -j 1,2 >"$out"
        if [ $command = infer ]; then
            middle='ms_min ms_median ms_p90 ms_p99 gflops pct_peak session_bytes peak_bytes'
        else
            middle='ms_median gflops pct_peak forward_ms backward_data_ms backward_weights_ms norm_ms step_ms data_ms'
        fi
        [ "$(header "$out")" = "$begin $middle isa cores cpu" ]
        [ "$(tail -n +2 "$out" | cut -f 1-5 | tr '\t' ' ')" = "$(
            for j in 1 2; do for b in 1 4; do echo "rn $NET float32 $b $j"; done; done
        )" ]
        holds "$out" '{images_per_s_min} <= {images_per_s_median} && {images_per_s_median} <= {images_per_s_max}'
        holds "$out" '{gflops} > 0 && {pct_peak} > 0'
    done
}

@test "infer: latencies in order, about what the rate says; memory at least the session's" {
    out=$BATS_TEST_TMPDIR/out
    bench infer "$NET" -b 1,64 -j 1 >"$out"
    holds "$out" '0 < {ms_min} && {ms_min} <= {ms_median} && {ms_median} <= {ms_p90} && {ms_p90} <= {ms_p99}'
    holds "$out" '{ms_min} <= 1001 * {batch} / {images_per_s_median}'
    holds "$out" '{session_bytes} > 0 && ({peak_bytes} == "" || {peak_bytes} >= 0)'
    # so large that nothing else counts
    bench infer resnet18 -b 1 -j 1 >"$out"
    holds "$out" '{peak_bytes} == "" || ({peak_bytes} > 0.7 * {session_bytes} && {peak_bytes} < 1.5 * {session_bytes})'
}

@test "gflops are 2 operations a multiply-accumulate, three times that for training" {
    macs=$(rn-summary --json "$NET" | jq .macs)
    for command in infer train; do
        bench $command "$NET" -b 8 -j 1 >"$BATS_TEST_TMPDIR/out"
        times=$([ $command = train ] && echo 3 || echo 1)
        holds "$BATS_TEST_TMPDIR/out" "{gflops} / (2e-9 * $macs * $times * {images_per_s_median}) > 0.99"
        holds "$BATS_TEST_TMPDIR/out" "{gflops} / (2e-9 * $macs * $times * {images_per_s_median}) < 1.01"
    done
}

@test "train: the parts of a batch make up its time" {
    bench train "$NET" --size 32 -b 32 -j 1 >"$BATS_TEST_TMPDIR/out"
    for part in forward backward_data backward_weights norm step data; do
        holds "$BATS_TEST_TMPDIR/out" "{${part}_ms} > 0"
    done
    sum='({forward_ms} + {backward_data_ms} + {backward_weights_ms} + {norm_ms} + {step_ms})'
    holds "$BATS_TEST_TMPDIR/out" "$sum * {images_per_s_median} / 32e3 > 0.8 && $sum * {images_per_s_median} / 32e3 < 1.25"
}

@test "conv: every convolution and pass; the first has no gradient of its input" {
    out=$BATS_TEST_TMPDIR/out
    bench conv "$NET" -b 2 -j 1 >"$out"
    [ "$(header "$out")" = "network layer pass shape output algorithm batch threads ms_median ms_min ms_max gflops \
pct_peak bytes flop_per_byte bound pct_bound isa cores cpu" ]
    convolutions=$(rn-summary --depth layer "$NET" | cut -f 3 | grep -c '^convolution')
    [ "$(tail -n +2 "$out" | wc -l)" -eq $((3 * convolutions - 1)) ]
    [ "$(cut -f 2,3 "$out" | grep -c $'^conv1\tbackward-data')" -eq 0 ]
    holds "$out" '{ms_median} > 0 && {gflops} > 0 && {pct_bound} > 0 && {algorithm} != ""'
    holds "$out" '{bound} ~ /^(compute|L1|L2|L3|DRAM)$/'
    # the lowest roof is never above the peak
    holds "$out" '{pct_bound} >= 0.999 * {pct_peak}'
    holds "$out" '{bound} != "compute" || {pct_bound} / {pct_peak} < 1.001'
}

@test "conv: bytes and intensity of a layer by hand" {
    out=$BATS_TEST_TMPDIR/out
    bench conv "$NET" --size 32 -b 2 -j 1 --pass forward >"$out"
    # layer1.0.conv1: 2 pictures of 32x32, 4 channels in and out, 3x3
    [ "$(grep layer1.0.conv1 "$out" | cut -f 14)" -eq $((4 * (2 * 2 * 32 * 32 * 4 + 4 * 4 * 9))) ]
    holds "$out" '{layer} != "layer1.0.conv1" || {flop_per_byte} / (2 * 2*32*32*4*4*9 / {bytes}) > 0.999'
    holds "$out" '{layer} != "layer1.0.conv1" || {flop_per_byte} / (2 * 2*32*32*4*4*9 / {bytes}) < 1.001'
}

@test "conv --pass: that alone" {
    for pass in forward backward-data backward-weights; do
        [ "$(bench conv "$NET" -j 1 --pass $pass | tail -n +2 | cut -f 3 | sort -u)" = $pass ]
    done
    fails 2 '--pass: sideways: takes forward, backward-data or backward-weights' rn-bench conv "$NET" --pass sideways
    fails 2 '--pass goes with conv' rn-bench infer "$NET" --pass forward
}

@test "--size, --isa and several networks" {
    bench infer "$NET" "$NET,classes=3" --size 16 -j 1 --isa ref >"$BATS_TEST_TMPDIR/out"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 3 ]
    bench infer "$NET" --size 16x24 -j 1 --isa ref >"$BATS_TEST_TMPDIR/out"
    [ "$(column "$BATS_TEST_TMPDIR/out" isa)" = ref ]
}

@test "--json: the columns as members, an object a row" {
    for command in "infer $NET" "train $NET" "conv $NET --pass forward" "startup $MODEL" peak; do
        # shellcheck disable=SC2086
        bench $command -j 1 >"$BATS_TEST_TMPDIR/tsv"
        # shellcheck disable=SC2086
        bench $command -j 1 --json >"$BATS_TEST_TMPDIR/json"
        [ "$(jq -r 'keys_unsorted | join(" ")' "$BATS_TEST_TMPDIR/json" | sort -u)" = "$(header "$BATS_TEST_TMPDIR/tsv")" ]
        [ "$(wc -l <"$BATS_TEST_TMPDIR/json")" -eq $(($(wc -l <"$BATS_TEST_TMPDIR/tsv") - 1)) ]
        jq -e '.threads == 1 and (.cpu | type) == "string"' "$BATS_TEST_TMPDIR/json" >/dev/null
    done
    bench peak -j 1 --json | jq -es 'any(.what == "fma" and .cache_bytes == null)' >/dev/null
}

@test "--compare: slower is exit 1 and named; as fast or faster is silence" {
    old=$BATS_TEST_TMPDIR/old slow=$BATS_TEST_TMPDIR/slow fast=$BATS_TEST_TMPDIR/fast
    for command in "infer $NET 6 7 8" "train $NET 6 7 8" "conv $NET,stages=1x4 9 10 11" "startup $MODEL 4 5 6" \
        "peak '' 4 5 6"; do
        read -r name operand columns <<<"$command"
        run=(bench "$name" -j 1)
        [ "$name" = peak ] || run+=("$operand")
        "${run[@]}" >"$old"
        # rates are better when they are more, times when they are less
        case $name in conv | startup) worse=1000 better=0.001 ;; *) worse=0.001 better=1000 ;; esac
        # shellcheck disable=SC2086
        scale $better $columns <"$old" >"$fast"
        # shellcheck disable=SC2086
        scale $worse $columns <"$old" >"$slow"
        run --separate-stderr "${run[@]}" --compare "$slow"
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        [ "${#lines[@]}" -eq "$(wc -l <"$old")" ]
        run --separate-stderr "${run[@]}" --compare "$fast"
        [ "$status" -eq 1 ]
        [ "${#stderr_lines[@]}" -eq $(($(wc -l <"$old") - 1)) ]
        [[ $stderr == *'slower by 9'*', was '* ]]
    done
}

@test "--compare: worse by the median alone is noise where the spreads overlap" {
    bench infer "$NET" -b 1 -j 1 >"$BATS_TEST_TMPDIR/old"
    # the median of then a thousand times higher, but its worst was as slow as now
    awk -F '\t' -v OFS='\t' 'NR > 1 { $6 *= 1000; $7 /= 1000; $8 *= 1000 } { print }' "$BATS_TEST_TMPDIR/old" >"$BATS_TEST_TMPDIR/wide"
    run --separate-stderr bench infer "$NET" -b 1 -j 1 --compare "$BATS_TEST_TMPDIR/wide"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

@test "--compare: a row with no partner is said, on both sides; another processor too" {
    bench infer "$NET" -b 1,2 -j 1 | scale 0.001 6 7 8 >"$BATS_TEST_TMPDIR/old"
    run --separate-stderr bench infer "$NET" -b 2,4 -j 1 --compare "$BATS_TEST_TMPDIR/old"
    [ "$status" -eq 0 ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ $stderr == *"has no row for peer rn, network $NET, mode float32, batch 4, threads 1"* ]]
    [[ $stderr == *"not measured now: peer rn, network $NET, mode float32, batch 1, threads 1"* ]]
    sed '2,$s/[^\t]*$/Pentium/' "$BATS_TEST_TMPDIR/old" >"$BATS_TEST_TMPDIR/other"
    run --separate-stderr bench infer "$NET" -b 1,2 -j 1 --compare "$BATS_TEST_TMPDIR/other"
    [ "$status" -eq 0 ]
    one_error rn-bench 'another processor: Pentium'
}

@test "--compare: a file that is no such table is exit 2 before any work, and its line named" {
    old=$BATS_TEST_TMPDIR/old bad=$BATS_TEST_TMPDIR/bad
    bench infer "$NET" -b 1,2 -j 1 >"$old"
    fails 2 'none: No such file' rn-bench infer "$NET" --compare none
    : >"$bad"
    fails 2 "$bad: line 1: missing, the file is empty" rn-bench infer "$NET" --compare "$bad"
    fails 2 "$old: line 1: not the header of rn-bench train" rn-bench train "$NET" --compare "$old"
    sed '3s/\t[^\t]*$//' "$old" >"$bad"
    fails 2 "$bad: line 3: not as many fields as the header" rn-bench infer "$NET" --compare "$bad"
    sed '2s/$/\t/' "$old" >"$bad"
    fails 2 "$bad: line 2: not as many fields as the header" rn-bench infer "$NET" --compare "$bad"
    for value in x 0 -1 nan inf ''; do
        awk -F '\t' -v OFS='\t' -v v="$value" 'NR == 3 { $7 = v } { print }' "$old" >"$bad"
        fails 2 "$bad: line 3: images_per_s_min: not a number above 0" rn-bench infer "$NET" --compare "$bad"
    done
    sed 2p "$old" >"$bad"
    fails 2 "$bad: line 3: measures what an earlier line did" rn-bench infer "$NET" --compare "$bad"
    sed '2s/rn/r\x00n/' "$old" >"$bad"
    fails 2 "$bad: line 2: holds a zero byte" rn-bench infer "$NET" --compare "$bad"
    fails 2 'directory' rn-bench infer "$NET" --compare "$BATS_TEST_TMPDIR"
}

@test "startup: with pixels of its own, and with a file" {
    out=$BATS_TEST_TMPDIR/out
    bench startup "$MODEL" -j 1,2 >"$out"
    [ "$(header "$out")" = 'model picture threads ms_median ms_min ms_max exit_ms_median isa cores cpu' ]
    [ "$(column "$out" threads | paste -sd ' ')" = '1 2' ]
    holds "$out" "{model} == \"$MODEL\" && {picture} == \"\" && 0 < {ms_median} && {ms_median} <= {exit_ms_median}"
    bench startup "$MODEL" "$DATA/t10k-images-idx3-ubyte" -j 1 --isa ref >"$out"
    holds "$out" "{picture} == \"$DATA/t10k-images-idx3-ubyte\" && {isa} == \"ref\""
}

@test "startup: what can't be done is said once" {
    fails 2 'startup takes a MODEL' rn-bench startup
    fails 2 'startup takes a MODEL' rn-bench startup a b c
    fails 2 'startup takes no --batch-size' rn-bench startup "$MODEL" -b 2
    fails 2 'standard input' rn-bench startup "$MODEL" -
    fails 2 'none.safetensors' rn-bench startup none.safetensors
    run --separate-stderr rn-bench startup "$MODEL" none.png
    [ "$status" -eq 2 ]
    one_error rn-infer none.png
}

@test "what can't be done: one line and exit 2" {
    fails 2 'no sub-command' rn-bench
    fails 2 'takes peak, conv, infer, train or startup' rn-bench inferr resnet18
    fails 2 'no SPEC' rn-bench infer
    fails 2 'peak takes no' rn-bench peak resnet18
    run --separate-stderr rn-bench infer resnet81
    [ "$status" -eq 2 ]
    one_error rn-bench 'nearest is resnet18'
}

@test "plot-roofline draws peak and conv, and says in one line why it can't" {
    command -v gnuplot >/dev/null || skip 'no gnuplot'
    cd "$BATS_TEST_TMPDIR"
    PATH=$(cd "$BATS_TEST_DIRNAME/../scripts" && pwd):$PATH
    bench peak -j 1 >peak.tsv
    bench conv "$NET" -b 2 -j 1 >conv.tsv
    plot-roofline -o roof.svg peak.tsv conv.tsv
    grep -q '<svg' roof.svg
    for text in 'GFLOP/s' DRAM avx512 igemm; do
        [ $text = avx512 ] && ! grep -q avx512 peak.tsv || grep -q "$text" roof.svg
    done
    plot-roofline -o roof.png peak.tsv conv.tsv
    [ "$(head -c 4 roof.png | tail -c 3)" = PNG ]
    fails 2 'usage' plot-roofline
    fails 2 'none.tsv' plot-roofline -o x.svg none.tsv conv.tsv
    fails 2 'conv.tsv: not the output of rn-bench peak' plot-roofline -o x.svg conv.tsv conv.tsv
    fails 2 'peak.tsv: not the output of rn-bench conv' plot-roofline -o x.svg peak.tsv peak.tsv
    fails 2 'x.gif' plot-roofline -o x.gif peak.tsv conv.tsv
    [ ! -e x.svg ]
    mkdir bin
    for tool in sh awk dirname basename rm mktemp head cat; do ln -s "$(command -v $tool)" bin/; done
    cp "$(command -v plot-roofline)" bin/
    PATH=$PWD/bin fails 2 'gnuplot' plot-roofline -o x.svg peak.tsv conv.tsv
}
