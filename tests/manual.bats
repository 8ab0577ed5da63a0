# The manuals: clean, complete against --help, and their examples run.
load helpers

setup_file() {
    export DATA=$BATS_FILE_TMPDIR/data
    make_data "$DATA" 64 32
}

# The .It lines that a tool's --help stands for.
items() {
    "$1" --help | awk '/^ +(-., )?--/ {
        n = split(substr($0, 1, 30), word)
        at = 1
        line = ".It "
        if (word[1] ~ /^-.,$/) { line = line "Fl " substr(word[1], 2, 1) " , "; at = 2 }
        line = line "Fl Fl " substr(word[at], 3)
        if (n > at) line = line " Ar " word[at + 1]
        print line
    }'
}

@test "mandoc finds nothing to say" {
    run bash -c "mandoc -T lint man/*.[1-9] | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db'" # this machine's
    echo "$output"
    [ -z "$output" ]
}

@test "every tool has its manual with the usual sections" {
    for tool in "${TOOLS[@]}"; do
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -qx ".Sh $section" "man/$tool.1"
        done
    done
}

@test "the manual's options are those of --help" {
    for tool in "${TOOLS[@]}"; do
        diff <(items "$tool" | sort) <(grep '^\.It Fl' "man/$tool.1" | sort)
    done
}

@test "the manual's defaults are those of --help" {
    for tool in "${TOOLS[@]}"; do
        "$tool" --help | sed -n 's/^ .*--\([a-z-]*\) .*(\([a-z0-9.]*\))$/\1 \2/p' |
            while read -r name value; do
                grep -A 20 "^\.It Fl.*Fl $name" "man/$tool.1" | sed -n '1p;2,${/^\.It/q;p}' |
                    grep -q "The default is $value\.$" || {
                    echo "$tool.1: --$name: default $value"
                    false
                }
            done
    done
}

# Lines of the manuals on stdin, told here: small data and narrow networks, the same otherwise.
narrow() {
    sed -e "s|$FASHION|$DATA|g; s|ssh nas ||; s|\\\\e|\\\\|g" \
        -e 's/-a cifar-resnet20/&:stages=1x4+1x8+1x8,stem-width=4/; s/--grow cifar-resnet32/&:stages=2x4+2x8+1x8,stem-width=4/'
}

@test "every example runs" {
    cd "$BATS_FILE_TMPDIR"
    ln -sf "$BATS_TEST_DIRNAME/../data" data-of-tree
    # in this order: some use the models that others make
    for page in rn-train.1 rn-convert.1 rn-infer.1 rn-summary.1 rn-bench.1 rntools.7 rn-weights.5 rn-spec.5; do
        tool=${page%.*}
        sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\$ //p' "$BATS_TEST_DIRNAME/../man/$page" | narrow >examples
        [ -s examples ]
        while read -r line; do
            line=${line//t10k-images-idx3-ubyte.gz/t10k-images-idx3-ubyte}
            line=${line//gzip -dc/cat}
            line=${line//data\/fashion-mnist-sample/data-of-tree/fashion-mnist-sample}
            line=${line// d2l-resnet18/ d2l-resnet18:stages=1x4+1x8,stem-width=4}
            [ "$tool" != rn-bench ] || line=${line// resnet18/ resnet18:stages=1x8+1x8 --size 32}
            line=${line/#rn-bench/rn-bench --repeats 1} # no word about a busy machine
            echo "$line"
            status=0
            bash -o pipefail -c "$line" >output 2>errors </dev/null || status=$?
            cat errors
            echo "exit $status"
            [ "$status" -eq 0 ] || [ "$status" -eq 141 ] # head closed the pipe
            [ -s output ] || [[ $line == *" -o "* ]]
            [ ! -s errors ]
        done <examples
    done
}

@test "the crontab line of rntools(7) runs, and runs again with nothing to do" {
    cd "$BATS_TEST_TMPDIR"
    line=$(sed -n 's/^30 3 \* \* \* //p' "$BATS_TEST_DIRNAME/../man/rntools.7" | narrow)
    for _ in 1 2; do
        run sh -c "$line"
        echo "$output"
        [ "$status" -eq 0 ]
        [ -z "$output" ]
        [ -s night.safetensors ]
    done
}

@test "the crontab line of rntools(7) that classifies adds rows, mails broken pictures and is silent without any" {
    cd "$BATS_TEST_TMPDIR"
    line=$(sed -n 's/^0 5 \* \* \* //p' "$BATS_TEST_DIRNAME/../man/rntools.7")
    mkdir -p data/fashion-mnist-sample
    (cd "$BATS_TEST_DIRNAME/.." && make_model "$BATS_TEST_TMPDIR/night.safetensors")
    run -0 sh -c "$line"
    [ -z "$output" ]
    [ ! -s labels.tsv ]
    cp "$BATS_TEST_DIRNAME"/../data/fashion-mnist-sample/pictures/*.png data/fashion-mnist-sample
    touch data/fashion-mnist-sample/*
    touch -d '2 days ago' data/fashion-mnist-sample/bag.png
    run -0 sh -c "$line"
    [ -z "$output" ]
    [ "$(wc -l <labels.tsv)" -eq 9 ]
    head -c 100 data/fashion-mnist-sample/coat.png >data/fashion-mnist-sample/cut.png
    run sh -c "$line"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == 'rn-infer: data/fashion-mnist-sample/cut.png: '* ]]
    [ "$(wc -l <labels.tsv)" -eq 19 ]
}

@test "the Makefile of rntools(7) makes the accuracy, once" {
    unset MAKEFLAGS MAKELEVEL
    cd "$BATS_TEST_TMPDIR"
    sed -n '/^DATA = /,/^\.Ed/{/^\.Ed/!p}' "$BATS_TEST_DIRNAME/../man/rntools.7" | narrow >Makefile
    make -s
    grep -q '^top1	' accuracy.tsv
    make -q
}
