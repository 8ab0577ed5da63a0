# A good citizen: full disks, closed pipes, terminals, one-line errors, silence when all is well.
load helpers

setup_file() {
    small_world 128 400
}

# What each tool does with the small world, its result on stdout.
work() {
    case $1 in
    rn-train) rn-train -a "$NET" -e 1 -b 64 -f -o "$BATS_TEST_TMPDIR/out" "$DATA" ;;
    rn-infer) rn-infer -m "$MODEL" --logits "$DATA" ;;
    rn-summary) rn-summary "$NET" ;;
    rn-convert) rn-convert "$MODEL" ;;
    rn-bench) rn-bench infer "$NET" --repeats 1 -j 1 ;;
    esac
}

@test "stderr is empty when all went well" {
    for tool in "${TOOLS[@]}"; do
        run --separate-stderr work "$tool"
        echo "$tool: $stderr"
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
    done
}

@test "a full disk is one line and exit 2" {
    to_full() { work "$1" >/dev/full; }
    for tool in "${TOOLS[@]}"; do
        run --separate-stderr to_full "$tool"
        echo "$tool: $status $stderr"
        [ "$status" -eq 2 ]
        one_error "$tool" 'No space left on device'
    done
    for tool in "${TOOLS[@]}"; do
        for option in --help --version; do
            run --separate-stderr bash -c "$tool $option >/dev/full"
            [ "$status" -eq 2 ]
            one_error "$tool" 'No space left on device'
        done
    done
}

@test "a closed pipe ends quietly, also under a parent that ignores SIGPIPE" {
    for tool in "${TOOLS[@]}"; do
        for trap in - ''; do
            (
                trap "$trap" PIPE
                code=0
                work "$tool" || code=$?
                echo $code >"$BATS_TEST_TMPDIR/status"
            ) 2>"$BATS_TEST_TMPDIR/errors" | head -c 1 >/dev/null
            status=$(cat "$BATS_TEST_TMPDIR/status")
            echo "$tool: $status $(cat "$BATS_TEST_TMPDIR/errors")"
            [ "$status" -eq 141 ] || [ "$status" -eq 0 ]
            [ ! -s "$BATS_TEST_TMPDIR/errors" ]
        done
    done
}

@test "a closed standard output is an error" {
    run --separate-stderr bash -c "rn-summary '$NET' >&-"
    [ "$status" -eq 2 ]
    one_error rn-summary 'standard output'
}

@test "a closed standard input is an error, not the file that was opened first" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    cut_pictures t10k 20 >"$BATS_TEST_TMPDIR/pipe" &
    run --separate-stderr bash -c "rn-infer -m '$MODEL' '$BATS_TEST_TMPDIR/pipe' - <&-"
    [ "$status" -eq 1 ]
    one_error rn-infer 'Bad file descriptor'
    [ "${#lines[@]}" -eq 21 ]
    [ "${lines[20]}" = $'-\t\t' ]
}

@test "control bytes in messages are escaped" {
    fails 2 '\x1b[31m' rn-infer -m $'./\e[31m\n\x9b' "$DATA"
    fails 2 '--\x1b[31m\x0a\x9b\xc2\x9b: unknown option' rn-infer $'--\e[31m\n\x9b\xc2\x9b'
}

@test "standard output is the same on a terminal" {
    diff <(rn-summary "$NET") <(on_terminal "rn-summary '$NET'")
    diff <(rn-infer -m "$MODEL" "$DATA") <(on_terminal "rn-infer -m '$MODEL' '$DATA'")
}

@test "binary to a terminal is refused unless -f" {
    run on_terminal "rn-convert '$MODEL'"
    [ "$status" -eq 2 ]
    [[ $output == *terminal* ]]
    run on_terminal "rn-convert -f '$MODEL' | head -c 8 | wc -c"
    [ "$output" -eq 8 ]
    on_terminal "rn-convert -f '$MODEL'" | grep -q rn.spec
}

@test "progress is for terminals, and -q silences it" {
    train="rn-train -a '$NET' -e 1 -b 16 -f -o '$BATS_TEST_TMPDIR/out' --log /dev/null '$DATA'"
    on_terminal "$train" | grep -q 'epoch 1/1'
    [ -z "$(on_terminal "$train -q")" ]
}

@test "--verbose adds a line on stderr, nothing on stdout" {
    run --separate-stderr rn-infer -v -m "$MODEL" "$DATA"
    [ "$status" -eq 0 ]
    one_error rn-infer threads
    [ "$output" = "$(rn-infer -m "$MODEL" "$DATA")" ]
}

@test "RN_ISA and OMP_NUM_THREADS are heard" {
    RN_ISA=sse2 rn-summary -v --isa ref "$NET" 2>&1 >/dev/null | grep -q 'instruction set ref'
    OMP_NUM_THREADS=3 rn-summary -v "$NET" 2>&1 >/dev/null | grep -q '3 threads'
    OMP_NUM_THREADS=3 rn-summary -v -j 2 "$NET" 2>&1 >/dev/null | grep -q '2 threads'
}
