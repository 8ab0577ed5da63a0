# Pictures from wherever they come: files, folders, lists, pipes; broken ones, odd names, idle pipes.
load helpers

SAMPLE=data/fashion-mnist-sample

setup_file() {
    small_world 256 100
    export WORLD=$BATS_FILE_TMPDIR/world
    mkdir "$WORLD"
    cp "$SAMPLE"/pictures/* "$WORLD"
}

@test "a folder, its files and lists of them agree" {
    rn-infer -m "$MODEL" "$WORLD" >"$BATS_TEST_TMPDIR/folder"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/folder")" -eq 20 ]
    cut -f 1 "$BATS_TEST_TMPDIR/folder" | diff - <(printf '%s\n' "$WORLD"/*)
    rn-infer -m "$MODEL" "$WORLD/" | cmp - "$BATS_TEST_TMPDIR/folder"
    rn-infer -m "$MODEL" "$WORLD"/* | cmp - "$BATS_TEST_TMPDIR/folder"
    rn-infer -m "$MODEL" -b 3 -j 3 "$WORLD" | cmp - "$BATS_TEST_TMPDIR/folder"
    find "$WORLD" -type f | sort | rn-infer -m "$MODEL" --files-from - | cmp - "$BATS_TEST_TMPDIR/folder"
    find "$WORLD" -type f -print0 | sort -z | rn-infer -m "$MODEL" --files-from - -0 | cmp - "$BATS_TEST_TMPDIR/folder"
    printf '%s\n' "$WORLD"/* >"$BATS_TEST_TMPDIR/list"
    rn-infer -m "$MODEL" --files-from "$BATS_TEST_TMPDIR/list" | cmp - "$BATS_TEST_TMPDIR/folder"
}

@test "a picture on standard input, and pictures one behind the other" {
    rn-infer -m "$MODEL" - <"$WORLD/bag.png" | diff - <(rn-infer -m "$MODEL" "$WORLD/bag.png" | sed 's/^[^\t]*/-/')
    for i in 0 1 2; do
        printf 'P5\n28 28\n255\n'
        cut_pictures t10k 3 | tail -c +$((17 + 784 * i)) | head -c 784
    done | rn-infer -m "$MODEL" - | diff - <(rn-infer -m "$MODEL" "$DATA" | head -n 3 | sed 's/^[^#]*/-/')
}

@test "--part and --labels of data that have none are refused, not passed over" {
    run -2 --separate-stderr rn-infer -m "$MODEL" --part train "$WORLD"
    one_error rn-infer 'has no train part'
    run -2 --separate-stderr rn-infer -m "$MODEL" --part train "$WORLD/bag.png" "$WORLD/coat.png"
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ $stderr == *'is one file'* ]]
    ls "$WORLD"/*.png >"$BATS_TEST_TMPDIR/list"
    for option in --part=test --labels=data/fashion-mnist-labels.txt; do
        run -2 --separate-stderr rn-infer -m "$MODEL" "$option" --files-from "$BATS_TEST_TMPDIR/list"
        one_error rn-infer 'goes without --part and --labels'
    done
}

@test "hidden files and what is no picture are passed over; what is named has its row" {
    cp -r "$WORLD" "$BATS_TEST_TMPDIR/mixed"
    cp "$WORLD/bag.png" "$BATS_TEST_TMPDIR/mixed/.hidden.png"
    echo text >"$BATS_TEST_TMPDIR/mixed/notes.txt"
    mkfifo "$BATS_TEST_TMPDIR/mixed/pipe"
    ln -s . "$BATS_TEST_TMPDIR/mixed/loop"
    run --separate-stderr rn-infer -v -m "$MODEL" "$BATS_TEST_TMPDIR/mixed"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 20 ]
    [[ $stderr == *'2 files are no pictures and were passed over'* ]]
    run --separate-stderr rn-infer -m "$MODEL" --files-from - <<<"$BATS_TEST_TMPDIR/mixed/notes.txt"
    [ "$status" -eq 1 ]
    [ "$output" = "$BATS_TEST_TMPDIR/mixed/notes.txt"$'\t\t' ]
    one_error rn-infer 'notes.txt: is no PNG'
}

@test "1,000 pictures with 20 broken ones: each answer in its place, each error named" {
    for i in $(seq 1000); do
        case $((i % 50)) in
        7) echo "$BATS_TEST_TMPDIR/broken-$i.png" ;;
        *) echo "$WORLD/bag.png" ;;
        esac
    done >"$BATS_TEST_TMPDIR/list"
    for i in $(seq 7 100 1000); do head -c $((40 + i / 4)) "$WORLD/bag.png" >"$BATS_TEST_TMPDIR/broken-$i.png"; done
    for i in $(seq 57 300 1000); do : >"$BATS_TEST_TMPDIR/broken-$i.png"; done
    mkdir "$BATS_TEST_TMPDIR/broken-157.png"
    run --separate-stderr rn-infer -m "$MODEL" -j 2 --files-from "$BATS_TEST_TMPDIR/list"
    [ "$status" -eq 1 ]
    cut -f 1 <<<"$output" | cmp - "$BATS_TEST_TMPDIR/list"
    [ "$(awk -F '\t' '$2 == ""' <<<"$output" | wc -l)" -eq 20 ]
    [ "$(awk -F '\t' '$2 == "" && !/broken/' <<<"$output" | wc -l)" -eq 0 ]
    [ "${#stderr_lines[@]}" -eq 20 ]
    [ "$(grep -c '^rn-infer: .*/broken-[0-9]*.png: ' <<<"$stderr")" -eq 20 ]
    run --separate-stderr rn-infer -m "$MODEL" -j 2 --json --files-from "$BATS_TEST_TMPDIR/list"
    [ "$(jq -c 'select(.error) | [.path, .error]' <<<"$output" | wc -l)" -eq 20 ]
    [ "$(jq -r 'select(.error) | .error' <<<"$output" | grep -c /)" -eq 0 ] # the path is beside it
}

@test "odd names" {
    dir=$BATS_TEST_TMPDIR/odd
    mkdir "$dir"
    for name in $'a\nb' $'c\td' 'e"f' "g'h" $'i\xff\xfe' 'j\k' ' l ' $'m\rn'; do
        cp "$WORLD/bag.png" "$dir/$name.png"
    done
    rn-infer -m "$MODEL" "$dir" >"$BATS_TEST_TMPDIR/out"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 8 ]
    [ "$(cut -f 2 "$BATS_TEST_TMPDIR/out" | sort -u | wc -l)" -eq 1 ]
    grep -qF 'a\nb.png' "$BATS_TEST_TMPDIR/out"
    find "$dir" -type f -print0 | sort -z | rn-infer -m "$MODEL" --files-from - -0 | cmp - "$BATS_TEST_TMPDIR/out"
    rn-infer -m "$MODEL" --json "$dir" >"$BATS_TEST_TMPDIR/json"
    [ "$(jq -c .top "$BATS_TEST_TMPDIR/json" | sort -u | wc -l)" -eq 1 ]
    [ "$(jq -r 'select(.path_hex) | .path_hex' "$BATS_TEST_TMPDIR/json")" = "$(printf '%s' "$dir/"$'i\xff\xfe.png' | od -An -v -tx1 | tr -d ' \n')" ]
}

# The milliseconds from each of 11 names, written one by one, to its row.
latencies() {
    local row begun
    mkfifo "$BATS_TEST_TMPDIR/names" "$BATS_TEST_TMPDIR/rows"
    rn-infer -m "$MODEL" --files-from "$BATS_TEST_TMPDIR/names" >"$BATS_TEST_TMPDIR/rows" &
    exec 8<"$BATS_TEST_TMPDIR/rows" 7>"$BATS_TEST_TMPDIR/names" # the order in which the other side opens them
    for _ in 1 2 3 4 5 6 7 8 9 10 11; do
        begun=${EPOCHREALTIME/./}
        echo "$WORLD/bag.png" >&7
        read -r -t 10 row <&8 # one that waits for the next name never comes
        [[ $row == "$WORLD/bag.png"* ]]
        echo $(((${EPOCHREALTIME/./} - begun) / 1000))
        sleep 0.3 # the pipe is idle
    done
    exec 7>&- 8<&-
    wait $!
}

@test "a slow pipe: each answer within 100 ms of its name (the best of 11, for the machine may be busy)" {
    latencies >"$BATS_TEST_TMPDIR/ms"
    echo "# $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/ms")"
    [ "$(sort -n "$BATS_TEST_TMPDIR/ms" | head -n 1)" -lt 100 ]
}

@test "a column of classes makes a list a data set" {
    printf '%s\t%s\n' "$WORLD/bag.png" Bag "$WORLD/coat.png" Coat >"$BATS_TEST_TMPDIR/list"
    rn-infer -m "$MODEL" --truth --files-from "$BATS_TEST_TMPDIR/list" | cut -f 2 | diff - <(printf 'Bag\nCoat\n')
    [ "$(rn-infer -m "$MODEL" --eval --files-from - <"$BATS_TEST_TMPDIR/list" | head -n 1)" = $'n\t2' ]
    rn-infer -m "$MODEL" --files-from - <"$BATS_TEST_TMPDIR/list" | cut -f 1 | diff - <(cut -f 1 "$BATS_TEST_TMPDIR/list")
    echo "$WORLD/bag.png" >>"$BATS_TEST_TMPDIR/list"
    fails 2 'line 3 has no class' rn-infer -m "$MODEL" --eval --files-from "$BATS_TEST_TMPDIR/list"
    printf '%s\tPurse\n' "$WORLD/bag.png" >"$BATS_TEST_TMPDIR/list"
    fails 2 Purse rn-infer -m "$MODEL" --eval --files-from "$BATS_TEST_TMPDIR/list"
}

@test "--eval counts a broken picture as wrong, once" {
    printf '%s\t%s\n' "$WORLD/bag.png" Bag "$BATS_TEST_TMPDIR/none.png" Bag >"$BATS_TEST_TMPDIR/list"
    run --separate-stderr rn-infer -m "$MODEL" --eval --files-from "$BATS_TEST_TMPDIR/list"
    [ "$status" -eq 1 ]
    one_error rn-infer none.png
    [ "${lines[0]}" = $'n\t2' ]
    [ "${lines[4]}" = "$(rn-infer -m "$MODEL" --eval --files-from <(head -n 1 "$BATS_TEST_TMPDIR/list") | tail -n 1)" ]
}

@test "lists and operands: one line when they do not go together, silence for nothing" {
    fails 2 'goes without DATA' rn-infer -m "$MODEL" --files-from - "$WORLD"
    fails 2 'for the names' rn-infer -m "$MODEL" -0 "$WORLD"
    fails 2 twice rn-infer -m - --files-from -
    fails 2 missing rn-infer -m "$MODEL" --files-from missing
    fails 2 'Is a directory' rn-infer -m "$MODEL" --files-from "$WORLD"
    run --separate-stderr rn-infer -m "$MODEL" --files-from - </dev/null
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    mkdir "$BATS_TEST_TMPDIR/empty"
    fails 2 'no pictures in the folder' rn-infer -m "$MODEL" "$BATS_TEST_TMPDIR/empty"
}

@test "--max-pixels refuses, --no-exif leaves pictures as stored" {
    run --separate-stderr rn-infer -m "$MODEL" --max-pixels 700 "$WORLD/bag.png"
    [ "$status" -eq 1 ]
    one_error rn-infer '28x28 pixels are more than the limit of 700'
    turned=$(find tests/golden/pictures -name '*exif*6*.jpg' | head -n 1)
    [ -n "$turned" ]
    [ "$(rn-infer --logits -m "$MODEL" "$turned")" != "$(rn-infer --logits -m "$MODEL" --no-exif "$turned")" ]
}

# class_folders DIR: the sample's ten PNG pictures in folders of their classes; their pixels as IDX.
class_folders() {
    local n=0 index name
    mkdir -p "$1/folder/train" "$1/folder/val" "$1/idx"
    : >"$1/pixels"
    : >"$1/labels"
    for name in "$WORLD"/*.png; do
        name=$(basename "$name" .png)
        mkdir "$1/folder/train/$name" "$1/folder/val/$name"
        cp "$WORLD/$name.png" "$1/folder/train/$name/one.png"
        cp "$WORLD/$name.png" "$1/folder/val/$name/two.png"
        index=$(first_of "$name")
        gzip -dc "$SAMPLE/t10k-images-idx3-ubyte.gz" | tail -c +$((17 + 784 * index)) | head -c 784 >>"$1/pixels"
        printf "\\x$(printf %02x $n)" >>"$1/labels"
        echo "$name" >>"$1/names"
        n=$((n + 1))
    done
    for part in train t10k; do
        { printf '\0\0\10\3' && be32 10 && be32 28 && be32 28 && cat "$1/pixels"; } >"$1/idx/$part-images-idx3-ubyte"
        { printf '\0\0\10\1' && be32 10 && cat "$1/labels"; } >"$1/idx/$part-labels-idx1-ubyte"
    done
}

# The first test picture of the sample with the class that a file of data/ is named after.
first_of() {
    local class
    class=$(tr 'A-Z /' 'a-z--' <data/fashion-mnist-labels.txt | grep -nx "$1" | cut -d : -f 1)
    gzip -dc "$SAMPLE/t10k-labels-idx1-ubyte.gz" | tail -c +9 | od -An -v -w1 -tu1 | tr -d ' ' |
        grep -nx $((class - 1)) | head -n 1 | sed 's/:.*//' | awk '{ print $1 - 1 }'
}

@test "a folder of class folders trains to the bits of the same pictures as IDX" {
    class_folders "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    train="rn-train -a $NET,in=1 --size 28 -e 3 -b 4 --lr 0.05 --augment flip,crop=2"
    $train -o folder.safetensors --log folder.tsv folder
    $train -j 3 -o idx.safetensors --labels names --log idx.tsv idx
    cmp folder.safetensors idx.safetensors
    diff <(cut -f 1-6 folder.tsv) <(cut -f 1-6 idx.tsv)
    rn-infer -m folder.safetensors --eval folder | diff - <(rn-infer -m folder.safetensors --eval --labels names idx)
}

@test "training leaves broken pictures out, names each once and ends with 1" {
    class_folders "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    head -c 100 "$WORLD/bag.png" >folder/train/coat/two.png
    run --separate-stderr rn-train -a "$NET,in=1" --size 28 -e 3 -b 4 -o out.safetensors --log log folder
    echo "$stderr"
    [ "$status" -eq 1 ]
    [ -s out.safetensors ]
    [ ! -e out.safetensors.ckpt ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == *'folder/train/coat/two.png: cut off'* ]]
    [[ ${stderr_lines[1]} == *'1 of 11 pictures were broken and left out'* ]]
}

# pixels N VALUE: so many bytes of it.
pixels() {
    head -c "$1" /dev/zero | tr '\0' "\\$(printf %03o "$2")"
}

# cifar DIR: a picture of one colour of each class as CIFAR-10 and in folders of classes.
cifar() {
    local label=0 class colour
    mkdir -p "$1/cifar"
    for class in airplane automobile bird cat deer dog frog horse ship truck; do
        echo $class
        mkdir -p "$1/folder/train/$class" "$1/folder/val/$class"
        printf "\\x$(printf %02x $label)" >&7
        colour="\\x$(printf %02x $((label * 20)))\\x40\\x80"
        for _ in 1 2 3 4 5 6 7 8 9 10; do colour+=$colour; done
        printf "P6\\n32 32\\n255\\n$colour" | tee "$1/folder/val/$class/two.ppm" >"$1/folder/train/$class/one.ppm"
        pixels 1024 $((label * 20)) >&7
        pixels 1024 64 >&7
        pixels 1024 128 >&7
        label=$((label + 1))
    done 7>"$1/cifar/test_batch.bin" >"$1/cifar/batches.meta.txt"
    head -c $((3073 * 4)) "$1/cifar/test_batch.bin" >"$1/cifar/data_batch_1.bin"
    tail -c $((3073 * 6)) "$1/cifar/test_batch.bin" >"$1/cifar/data_batch_2.bin"
}

@test "CIFAR-10 trains to the bits of the same pictures in folders of classes" {
    cifar "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    train="rn-train -a $NET --size 32 -e 3 -b 4 --lr 0.05 --augment flip,crop=2"
    $train -o folder.safetensors --log folder.tsv folder
    $train -j 3 -o cifar.safetensors --log cifar.tsv cifar
    cmp folder.safetensors cifar.safetensors
    diff <(cut -f 1-6 folder.tsv) <(cut -f 1-6 cifar.tsv)
    rn-infer -m folder.safetensors --eval folder >eval
    rn-infer -m folder.safetensors --eval cifar | cmp - eval
    rn-infer -m folder.safetensors --eval cifar/test_batch.bin | cmp - eval
    rn-infer -m folder.safetensors --truth --part train cifar | cut -f 1,2 |
        diff - <(awk '{ print "cifar/data_batch_" (NR < 5 ? 1 : 2) ".bin#" (NR < 5 ? NR - 1 : NR - 5) "\t" $0 }' cifar/batches.meta.txt)
    echo >>cifar/data_batch_2.bin
    fails 2 'data_batch_2.bin: 18439 bytes are no multiple of 3073' $train -o none.safetensors cifar
}
