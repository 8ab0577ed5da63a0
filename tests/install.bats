# The installed tree: what install puts there, the program of rn.h against it, completion, curves,
# and that uninstall takes away just that.
load helpers
unset MAKEFLAGS MAKELEVEL

setup_file() {
    export ROOT=$BATS_FILE_TMPDIR/usr
    small_world
    cp "$RN_BUILD/flags" "$BATS_FILE_TMPDIR/flags"
    put "$ROOT" ""
}

# put PREFIX DESTDIR: copies this build, whatever it was made with.
put() {
    make -s install-files B="$RN_BUILD" PREFIX="$1" DESTDIR="$2"
}

files() {
    (cd "$1" && find . ! -type d | sort)
}

@test "install puts tools, library, header, manuals, completion and plot scripts in place" {
    for tool in "${TOOLS[@]}"; do
        cmp "$RN_BUILD/$tool" "$ROOT/bin/$tool"
        [ -x "$ROOT/bin/$tool" ]
        cmp scripts/completion.bash "$ROOT/share/bash-completion/completions/$tool"
    done
    cmp "$RN_BUILD/librn.a" "$ROOT/lib/librn.a"
    cmp lib/rn.h "$ROOT/include/rn.h"
    [ -x "$ROOT/share/rntools/plot-curves" ]
    [ -x "$ROOT/share/rntools/plot-roofline" ]
    for page in man/*.[1-9]; do
        cmp "$page" "$ROOT/share/man/man${page##*.}/${page##*/}"
    done
}

@test "DESTDIR stands before the paths and not in rn.pc" {
    put /opt/rn "$BATS_TEST_TMPDIR/stage"
    diff <(files "$ROOT") <(files "$BATS_TEST_TMPDIR/stage/opt/rn")
    grep -qx 'prefix=/opt/rn' "$BATS_TEST_TMPDIR/stage/opt/rn/lib/pkgconfig/rn.pc"
}

@test "uninstall removes what install wrote and nothing else" {
    local root=$BATS_TEST_TMPDIR/usr
    mkdir -p "$root/bin" "$root/share/rntools"
    touch "$root/bin/other" "$root/share/rntools/mine"
    put "$root" ""
    [ "$(files "$root" | wc -l)" -gt 20 ]
    make -s uninstall B="$RN_BUILD" PREFIX="$root"
    [ "$(files "$root")" = $'./bin/other\n./share/rntools/mine' ]
    rm "$root/share/rntools/mine"
    make -s uninstall B="$RN_BUILD" PREFIX="$root"
    [ ! -e "$root/share/rntools" ]
    make -s uninstall B="$RN_BUILD" PREFIX="$root/nowhere"
    cmp "$RN_BUILD/flags" "$BATS_FILE_TMPDIR/flags" # another compiler's build stays as it is
}

# The program in rn.h's head comment, on stdout.
program() {
    sed -n '/^ \*     #include/,/^ \*     }$/s/^ \* \{0,5\}//p' "$ROOT/include/rn.h"
}

@test "the program in rn.h's head comment compiles against the tree and answers as rn-infer" {
    local cc sanitizer picture=$BATS_TEST_TMPDIR/picture
    cd "$BATS_TEST_TMPDIR"
    program >classify.c
    [ "$(wc -l <classify.c)" -ge 20 ]
    cc=$(cut -d ' ' -f 1 "$RN_BUILD/flags")
    sanitizer=$(grep -o -e '-fsanitize=[^ ]*' "$RN_BUILD/flags" || true)
    export PKG_CONFIG_PATH=$ROOT/lib/pkgconfig
    [ "$(pkg-config --modversion rn)" = "$(rn-infer -qV)" ]
    # shellcheck disable=SC2046,SC2086
    $cc -Wall -Wextra -Werror $sanitizer classify.c $(pkg-config --static --cflags --libs rn) -o classify
    rn-infer -m "$MODEL" "$DATA/t10k-images-idx3-ubyte" | head -n 5 | cut -f 2,3 |
        awk -F '\t' '{ printf "%s\t%.3f\n", $1, $2 }' >expected
    for i in 0 1 2 3 4; do
        tail -c +$((17 + 784 * i)) "$DATA/t10k-images-idx3-ubyte" | head -c 784 >"$picture"
        ./classify "$MODEL" <"$picture"
    done | cut -f 2,3 >answers
    diff expected answers
    run ./classify nothing.safetensors
    [ "$status" -eq 2 ]
    [[ $output == "nothing.safetensors: "* ]]
}

# complete_words WORD...: what completion offers for the last word.
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _rn_tools
    [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
}

@test "completion offers every option of --help and the words of their values" {
    source "$ROOT/share/bash-completion/completions/rn-train"
    for tool in "${TOOLS[@]}"; do
        complete -p "$tool"
        diff <("$tool" --help | grep -oE '^ +(-., )?--[a-z-]+' | tr ',' '\n' | tr -d ' ' | sort) \
            <(complete_words "$tool" - | sort)
    done
    [ "$(complete_words rn-train --sched '' | paste -sd ' ')" = 'const step cosine linear' ]
    [ "$(complete_words rn-train --lr 0.1 --sched co | paste -sd ' ')" = 'const cosine' ]
    [ "$(complete_words rn-infer --part te)" = test ]
    [ "$(complete_words rn-train --weight | sort | paste -sd ' ')" = '--weight-decay --weights' ]
    [ "$(complete_words rn-infer -m "$MODEL")" = "$MODEL" ]
}

@test "plot-curves draws PNG and SVG and refuses what is no log" {
    command -v gnuplot >/dev/null || skip "no gnuplot"
    local plot=$ROOT/share/rntools/plot-curves
    cd "$BATS_TEST_TMPDIR"
    rn-train -a "$NET" -e 2 -q --log "it's.tsv" -o m.safetensors "$DATA"
    run "$plot" -o a.png "it's.tsv"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(head -c 4 a.png | tail -c 3)" = PNG ]
    "$plot" -o a.svg "it's.tsv" "it's.tsv"
    grep -q 'validation accuracy' a.svg
    head -n 1 "it's.tsv" >empty.tsv
    rn-train -a "$NET" -e 1 -q --log one.tsv -o n.safetensors --val "$DATA" "$DATA"
    "$plot" -o b.png one.tsv
    for bad in empty.tsv m.safetensors missing.tsv; do
        run --separate-stderr "$plot" -o c.png "$bad"
        [ "$status" -eq 2 ]
        [[ $stderr == "plot-curves: $bad: "* ]]
        [ ! -e c.png ]
    done
}
