# Broken and hostile pictures through rn-infer: each has its row and its sentence, quickly and in little memory.
load helpers
load many

setup_file() {
    small_world 256 100
    export MANY=$BATS_FILE_TMPDIR/many
    many_pictures "$MANY" 15 30
}

infer() {
    rn-infer -m "$MODEL" "$@"
}

@test "300 pictures of odd names, 10 broken: a folder, a list and a tar have the same rows and sentences" {
    cd "$BATS_FILE_TMPDIR"
    run -1 --separate-stderr infer many
    [ "${#stderr_lines[@]}" -eq 10 ]
    echo "$output" >"$BATS_TEST_TMPDIR/folder"
    echo "$stderr" >"$BATS_TEST_TMPDIR/errors"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/folder")" -eq 300 ]
    awk -F '\t' 'NF != 3 || ($2 == "") != (NR % 30 == 0) { exit 1 }' "$BATS_TEST_TMPDIR/folder"
    cut -f 1 "$BATS_TEST_TMPDIR/folder" | cmp - <(tr '\t\n\0' '\1\2\n' <many.list | sed "s|^$PWD/||; s/\\\\/&&/g; s/\x01/\\\\t/g; s/\x02/\\\\n/g")
    run -1 --separate-stderr infer -j 3 --files-from - -0 < <(find many -type f -print0 | sort -z)
    cmp "$BATS_TEST_TMPDIR/folder" <<<"$output"
    cmp "$BATS_TEST_TMPDIR/errors" <<<"$stderr"
    run -1 --separate-stderr infer - < <(tar c --sort=name many)
    sed 's/^-#//' <<<"$output" | cmp - "$BATS_TEST_TMPDIR/folder"
    sed 's/: -#/: /' <<<"$stderr" | cmp - "$BATS_TEST_TMPDIR/errors"
}

@test "300 pictures as JSON: each line is an object, errors where the rows have none" {
    run -1 --separate-stderr infer --json -k 2 "$MANY"
    [ "$(jq -c 'select((.error | type) == "string" or (.top | length) == 2) | .path' <<<"$output" | wc -l)" -eq 300 ]
    [ "$(jq -c 'select(.error)' <<<"$output" | wc -l)" -eq 10 ]
    [ "$(jq -c 'select(.path_hex)' <<<"$output" | wc -l)" -eq 40 ]
    while IFS= read -r line; do # each line alone
        [[ $line == '{"path":"'*'}' && $line != *'}{'* ]]
    done <<<"$output"
}

# What comes on stdin is the next hostile picture, $HOSTILE/0 and so on.
put() {
    cat >"$HOSTILE/$(find "$HOSTILE" -type f | wc -l)"
}

# broken_one PATH: in a process of its own, with a second of processor time and, where no sanitizer has its own, 64 MB.
broken_one() {
    local error
    (
        ulimit -t 1
        [[ $(<"$RN_BUILD/flags") == *-fsanitize=* ]] || ulimit -d 65536
        infer -j 1 "$1" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null
    ) && return 1
    error=$(<"$BATS_TEST_TMPDIR/err")
    echo "$error"
    [ "$(<"$BATS_TEST_TMPDIR/out")" = "$1"$'\t\t' ]
    [[ $error == "rn-infer: $1: "?* && $error != *$'\n'* && $error != *memory* ]]
}

@test "hostile pictures: a row and a sentence each, in a second and 64 MB" {
    local HOSTILE=$BATS_TEST_TMPDIR/hostile i n size golden=tests/golden/pictures scan
    mkdir "$HOSTILE"
    for i in "$golden"/*.*; do # each kind cut in the middle
        size=$(stat -c %s "$i")
        [[ $i == *.tsv ]] || head -c $((size / 2)) "$i" | put
    done
    for i in '\x89PNG\r\n\x1a\n' '\xff\xd8\xff' '\xff\xd8\xff\xe0\0\x10JFIF' 'P6 0 1 255\n' 'P6 1 1 0\n123' 'P6 1 1 65536\n123456' \
        'P2 1 1 7\n8' 'P1 2 1\n12' 'P5 99999999999 1 255\n1' 'P5 65535 65535 255\n1' 'P4 178956970 2\n' 'P6 # no end' \
        'farbfeld' 'farbfeld\xff\xff\xff\xff\xff\xff\xff\xff' 'farbfeld\0\0\0\0\0\0\0\1' 'P5 13000 13000 255\n'; do
        printf "$i" | put
    done
    # the header of a PNG of 65535x65535; one of 13000x13000 without pixels; a wrong sum; no end
    { printf '\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xff\xff\0\0\xff\xff\x08\2\0\0\0\x68\x2d\x8c\x6f'; tail -c +34 "$golden/rgb-8.png"; } | put
    { head -c 20 "$golden/rgb-8.png"; printf '\xff'; tail -c +22 "$golden/rgb-8.png"; } | put
    { head -c $(($(stat -c %s "$golden/rgb-8.png") - 14)) "$golden/rgb-8.png"; printf '\0\0'; tail -c 12 "$golden/rgb-8.png"; } | put
    head -c -6 "$golden/rgb-8.png" | put
    # a JPEG that says 65535x65535 behind the marker of its frame
    sed 's/\xff\xc0\x00\x11\x08..../\xff\xc0\x00\x11\x08\xff\xff\xff\xff/' "$golden/420.jpg" | put
    [ "$(cmp -l "$golden/420.jpg" "$HOSTILE/$(($(find "$HOSTILE" -type f | wc -l) - 1))" | wc -l)" -eq 4 ]
    # the last scan of a progressive one a thousand times
    scan=$(LC_ALL=C grep -obUaP '\xff\xda' "$golden/progressive.jpg" | tail -n 1 | cut -d : -f 1)
    { head -c -2 "$golden/progressive.jpg"; for i in $(seq 1000); do head -c -2 "$golden/progressive.jpg" | tail -c +$((scan + 1)); done; printf '\xff\xd9'; } | put
    n=$(find "$HOSTILE" -type f | wc -l)
    [ "$n" -gt 60 ]
    for ((i = 0; i < n; i++)); do
        broken_one "$HOSTILE/$i"
    done
    run -1 --separate-stderr infer "$HOSTILE"/* # and all of them in one go
    [ "${#lines[@]}" -eq "$n" ]
    [ "${#stderr_lines[@]}" -eq "$n" ]
}

@test "what is no picture file at all: a row and a sentence each" {
    local i
    cd "$BATS_TEST_TMPDIR"
    : >empty
    mkdir folder
    ln -s loop loop
    mkfifo fifo
    printf '%s\n' empty folder loop fifo missing /dev/null /dev/zero empty/x "$(printf 'x%.0s' {1..300})" >list
    (: >fifo) & # opens and closes
    run -1 --separate-stderr timeout 10 rn-infer -m "$MODEL" --files-from list
    [ "${#lines[@]}" -eq 9 ]
    diff <(cut -f 1 <<<"$output") list
    [ -z "$(cut -f 2- <<<"$output" | tr -d '\t\n')" ]
    [ "${#stderr_lines[@]}" -eq 9 ]
    for i in 0 1 2 3 4 5 6 7 8; do
        [[ ${stderr_lines[i]} == "rn-infer: $(sed -n $((i + 1))p list): "?* ]]
    done
}
