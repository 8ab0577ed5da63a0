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
    run bash -c "mandoc -T lint man/*.[1-9] | grep -v 'referenced manual not found'" # not installed
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

@test "every example runs" {
    cd "$BATS_FILE_TMPDIR"
    for tool in rn-train rn-convert rn-infer rn-summary rn-bench; do
        sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\$ //p' "$BATS_TEST_DIRNAME/../man/$tool.1" >examples
        [ -s examples ]
        while read -r line; do
            # small data and narrow networks, the same lines otherwise
            line=${line//$FASHION/$DATA}
            line=${line//t10k-images-idx3-ubyte.gz/t10k-images-idx3-ubyte}
            line=${line//gzip -dc/cat}
            line=${line// d2l-resnet18/ d2l-resnet18:stages=1x4+1x8,stem-width=4}
            [ "$tool" != rn-bench ] || line=${line// resnet18/ resnet18:stages=1x8+1x8 --size 32}
            line=${line/#rn-bench/rn-bench --repeats 1} # no word about a busy machine
            echo "$line"
            bash -o pipefail -c "$line" >output 2>errors </dev/null || [ $? -eq 141 ]
            [ -s output ] || [[ $line == *" -o "* ]]
            cat errors
            [ ! -s errors ]
        done <examples
    done
}
