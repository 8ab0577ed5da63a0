# Tar archives: pictures from files and pipes, and labelled samples as WebDataset writes them.
load helpers

SAMPLE=data/fashion-mnist-sample

setup_file() {
    small_world 256 100
    export WORLD=$BATS_FILE_TMPDIR/world SAMPLES=$BATS_FILE_TMPDIR/samples
    mkdir "$WORLD" "$SAMPLES"
    cp "$SAMPLE"/pictures/* "$WORLD"
    samples "$SAMPLES"
}

# samples DIR: the ten PNG pictures in folders of their classes, and as KEY.png and KEY.cls.
samples() {
    local n=0 name
    for name in "$WORLD"/*.png; do
        name=$(basename "$name" .png)
        mkdir -p "$1/folder/$name" "$1/flat"
        cp "$WORLD/$name.png" "$1/folder/$name"
        cp "$WORLD/$name.png" "$1/flat/$name.png"
        echo "$name" >>"$1/names"
        echo $n >"$1/flat/$name.cls"
        n=$((n + 1))
    done
    tar cf "$1/train.tar" --sort=name -C "$1/flat" .
}

@test "tar, from a file and a pipe, of every format, has the folder's answers" {
    deep=$(printf 'n%.0s' $(seq 120))/$(printf 'm%.0s' $(seq 120))
    mkdir -p "$BATS_TEST_TMPDIR/$deep"
    cp "$WORLD"/* "$BATS_TEST_TMPDIR/$deep"
    echo text >"$BATS_TEST_TMPDIR/$deep/notes"
    cp "$WORLD/bag.png" "$BATS_TEST_TMPDIR/$deep/.hidden"
    cd "$BATS_TEST_TMPDIR"
    rn-infer -m "$MODEL" "$deep" | sort >folder
    tar c "$deep" | rn-infer -m "$MODEL" - | sed 's/^-#//' | sort | cmp - folder
    tar cz "$deep" | rn-infer -m "$MODEL" -b 3 - | sed 's/^-#//' | sort | cmp - folder
    for format in gnu pax; do
        tar cf tar --format=$format "$deep"
        rn-infer -m "$MODEL" tar | sed 's/^tar#//' | sort | cmp - folder
    done
    tar cf tar --format=ustar -C "$deep" .
    rn-infer -m "$MODEL" tar | sed "s|^tar#\./|$deep/|" | sort | cmp - folder
    [ "$(cat tar tar | rn-infer -m "$MODEL" - | wc -l)" -eq 40 ]
}

@test "tar without a picture in it is an error, as such a folder is" {
    cd "$BATS_TEST_TMPDIR"
    echo text >notes
    tar cf tar notes
    for data in tar -; do
        run -2 --separate-stderr rn-infer -m "$MODEL" "$data" <tar
        one_error rn-infer "$data: no pictures in the archive"
        [ -z "$output" ]
    done
}

@test "tar: members that are no pictures are counted when it is read, hidden ones are not" {
    cd "$BATS_TEST_TMPDIR"
    cp "$WORLD/bag.png" .
    echo text >notes
    echo text >.hidden
    tar cf tar .hidden bag.png notes
    run -0 --separate-stderr rn-infer -v -m "$MODEL" tar
    [[ $stderr == *'tar: 1 files are no pictures and were passed over'* ]]
}

@test "tar: a short name behind a long one is its own" {
    long=$(printf 'n%.0s' $(seq 120)).png
    cd "$BATS_TEST_TMPDIR"
    cp "$WORLD/bag.png" "$long"
    cp "$WORLD/coat.png" short.png
    for format in gnu pax; do
        tar cf tar --format=$format "$long" short.png
        rn-infer -m "$MODEL" tar | cut -f 1 | diff - <(printf 'tar#%s\n' "$long" short.png)
    done
}

@test "tar that is cut off or damaged: the pictures before, one sentence, exit 1" {
    cd "$WORLD"
    tar cf "$BATS_TEST_TMPDIR/tar" *.png
    run --separate-stderr rn-infer -m "$MODEL" - < <(head -c 4000 "$BATS_TEST_TMPDIR/tar")
    [ "$status" -eq 1 ]
    one_error rn-infer 'cut off in'
    [ "${#lines[@]}" -ge 1 ]
    { head -c $((512 + ($(stat -c %s ankle-boot.png) + 511) / 512 * 512)) "$BATS_TEST_TMPDIR/tar"; head -c 4000 /dev/zero | tr '\0' x; } >"$BATS_TEST_TMPDIR/broken"
    run --separate-stderr rn-infer -m "$MODEL" "$BATS_TEST_TMPDIR/broken"
    [ "$status" -eq 1 ]
    one_error rn-infer 'damaged tar header behind'
    [ "${#lines[@]}" -ge 1 ]
}

@test "tar of samples: KEY.cls is the class of KEY.png, in any order, from a file, gzip or a pipe" {
    cd "$SAMPLES"
    rn-train -a "$NET,in=1" --size 28 -e 1 --log /dev/null -o "$BATS_TEST_TMPDIR/m" folder
    infer() { rn-infer -m "$BATS_TEST_TMPDIR/m" "$@"; }
    infer --truth folder | cut -f 2- >"$BATS_TEST_TMPDIR/records"
    [ "$(cut -f 1 "$BATS_TEST_TMPDIR/records")" = "$(cat names)" ]
    infer --eval folder >"$BATS_TEST_TMPDIR/eval"
    gzip -c train.tar >"$BATS_TEST_TMPDIR/gz"
    (cd flat && tar c $(for n in $(cat ../names); do echo $n.png $n.cls; done)) >"$BATS_TEST_TMPDIR/behind"
    for tar in train.tar "$BATS_TEST_TMPDIR/gz" "$BATS_TEST_TMPDIR/behind"; do
        infer --truth --labels names "$tar" | cut -f 2- | cmp - "$BATS_TEST_TMPDIR/records"
        infer --truth "$tar" | cut -f 2- | cmp - "$BATS_TEST_TMPDIR/records" # numbers are the model's order
        infer --eval "$tar" | cmp - "$BATS_TEST_TMPDIR/eval"
        infer -b 3 --truth - <"$tar" | cut -f 2- | cmp - "$BATS_TEST_TMPDIR/records"
        cat "$tar" | TMPDIR=$BATS_TEST_TMPDIR infer --eval - | cmp - "$BATS_TEST_TMPDIR/eval"
    done
    infer train.tar | cut -f 1 | diff - <(sed 's|.*|train.tar#./&.png|' names)
    infer --truth train.tar | cut -f 1 | diff - <(sed 's|.*|train.tar#./&.png|' names)
    run -0 ls "$BATS_TEST_TMPDIR"
    [[ $output != *rn-* ]] # the temporary file has gone
}

@test "tar of samples trains and validates to the bits of folders of classes" {
    cd "$SAMPLES"
    gzip -kf train.tar
    train="rn-train -a $NET,in=1 --size 28 -e 3 -b 4 --lr 0.05 --augment flip,crop=2 --log /dev/null"
    $train --val folder -o "$BATS_TEST_TMPDIR/folder" folder
    $train -j 3 --labels names --val train.tar -o "$BATS_TEST_TMPDIR/tar" train.tar
    $train --labels names --val train.tar.gz -o "$BATS_TEST_TMPDIR/gz" train.tar.gz
    cmp "$BATS_TEST_TMPDIR/folder" "$BATS_TEST_TMPDIR/tar"
    cmp "$BATS_TEST_TMPDIR/folder" "$BATS_TEST_TMPDIR/gz"
    fails 2 'training takes a file or a folder' $train -o "$BATS_TEST_TMPDIR/none" - <train.tar
}

@test "tar of samples: several pictures of a key, keys with dots and folders, what else stands there" {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p a.b
    cp "$WORLD/bag.png" a.b/x.left.png
    cp "$WORLD/bag.jpg" a.b/x.right.jpg
    cp "$WORLD/coat.png" y.png
    echo 8 >a.b/x.cls
    printf 4 >y.cls
    echo '{}' >y.json
    tar cf t a.b/x.cls a.b/x.left.png a.b/x.right.jpg y.json y.png y.cls
    rn-infer -m "$MODEL" --truth t | cut -f 1,2 |
        diff - <(printf 't#%s\t%s\n' a.b/x.left.png Bag a.b/x.right.jpg Bag y.png Coat)
    run --separate-stderr rn-infer -v -m "$MODEL" --eval t
    [ "${lines[0]}" = $'n\t3' ]
    [[ $stderr == *'t: 1 files are no pictures'* ]]
}

@test "tar of samples: what is wrong with the classes is said in a sentence" {
    cd "$BATS_TEST_TMPDIR"
    cp "$WORLD/bag.png" a.png
    cp "$WORLD/bag.png" b.png
    cp "$WORLD/bag.png" c.png
    for n in a b c; do echo 8 >$n.cls; done
    tar cf t a.png b.png a.cls b.cls
    fails 2 't#a.png: has no class: a.cls does not stand next to it' rn-infer -m "$MODEL" --eval t
    tar cf t a.png a.cls b.png
    fails 2 't#b.png: has no class' rn-infer -m "$MODEL" --eval t
    fails 2 't#b.png: has no class' rn-train -a "$NET" -o out t
    tar cf t a.png b.png
    fails 2 'no labels in these data' rn-infer -m "$MODEL" --eval t
    fails 2 'nothing to learn' rn-train -a "$NET" -o out t
    for wrong in Bag '' -1 1.5 1000000 99999999999999999999 '12345678901234567'; do
        echo "$wrong" >b.cls
        tar cf t a.png a.cls b.png b.cls
        fails 2 't#b.cls: is no class number' rn-infer -m "$MODEL" --truth t
        [ "$(rn-infer -m "$MODEL" t | wc -l)" -eq 2 ] # they are nobody's business here
    done
    echo 10 >b.cls
    tar cf t a.png a.cls b.png b.cls
    fails 2 'does not know class 10' rn-infer -m "$MODEL" --eval t
    head -c 1500 t >cut
    fails 2 'cut: cut off in' rn-infer -m "$MODEL" --eval cut
    TMPDIR=/none fails 2 '/none/rn-' rn-infer -m "$MODEL" --eval - <t
}

@test "tar: a member with holes is said to be one, of each format, and the rest go on" {
    cd "$BATS_TEST_TMPDIR"
    cp "$WORLD/bag.png" a.png
    cp "$WORLD/coat.png" z.png
    cp "$WORLD/bag.png" holes.png
    for i in $(seq 30); do printf x | dd of=holes.png bs=1 seek=$((i * 100000)) conv=notrunc status=none; done
    truncate -s 9M holes.png
    for format in gnu 'posix --sparse-version=0.0' 'posix --sparse-version=0.1' 'posix --sparse-version=1.0'; do
        tar c --sparse --hole-detection=raw --format=$format a.png holes.png z.png >t
        [ "$(stat -c %s t)" -lt 1000000 ] # it is sparse
        for option in --truth -q; do
            [ $option = -q ] || for n in a holes z; do echo 8 >$n.cls; done
            [ $option = -q ] || tar c --sparse --hole-detection=raw --format=$format {a,holes,z}.{png,cls} >t
            run -1 --separate-stderr rn-infer -m "$MODEL" $option t
            one_error rn-infer 't#holes.png: is stored with holes'
            [ "$(cut -f 1 <<<"$output")" = "$(printf 't#%s\n' a.png holes.png z.png)" ]
            [ "$(cut -f 3 <<<"$output" | grep -c .)" -ge 2 ]
        done
    done
}
