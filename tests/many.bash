# Many pictures, some of them broken, for tests/broken.bats and tests/acceptance.

# many_pictures DIR FOLDERS STEP: FOLDERS folders of odd names in DIR, twenty pictures of data/ in each; every STEP-th
# picture in the order of bytes is broken: cut off, or with a wrong sum. Their paths are in DIR.list (ended by NULs), those
# of the broken ones in DIR.broken.
many_pictures() {
    local dir=$1 folders=$2 step=$3 i path odd=(plain $'new\nline' $'ta\tb' "quotes\"'" $'no\xffutf8' 'back\slash')
    mkdir -p "$dir"
    for ((i = 0; i < folders; i++)); do
        cp -r data/fashion-mnist-sample/pictures "$dir/$(printf %04d $i) ${odd[i % 6]}"
    done
    find "$dir" -type f -print0 | LC_ALL=C sort -z >"$dir.list"
    : >"$dir.broken"
    i=0
    while IFS= read -r -d '' path; do
        if ((++i % step == 0)); then
            break_picture "$path"
            printf '%s\0' "$path" >>"$dir.broken"
        fi
    done <"$dir.list"
}

# A PNG loses its last bytes, or the sum of its pixels (before the 12 bytes of IEND) is wrong; a JPEG is cut in half.
break_picture() {
    local size
    size=$(stat -c %s "$1")
    case $1 in
    *.png) if ((size % 2)); then truncate -s $((size - 20)) "$1"; else printf '\0\0' | dd of="$1" bs=1 seek=$((size - 15)) conv=notrunc status=none; fi ;;
    *) truncate -s $((size / 2)) "$1" ;;
    esac
}
