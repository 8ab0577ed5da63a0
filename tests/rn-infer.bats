# rn-infer: records, --eval, labels, inputs that can't be read.
load helpers

setup_file() {
    small_world 256 100
}

infer() {
    rn-infer -m "$MODEL" --labels data/fashion-mnist-labels.txt "$@"
}

@test "a record for each picture, in order" {
    infer "$DATA" >"$BATS_TEST_TMPDIR/out"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 100 ]
    cut -f 1 "$BATS_TEST_TMPDIR/out" | sed 's/.*#//' | diff - <(seq 0 99)
    [ "$(cut -f 1 "$BATS_TEST_TMPDIR/out" | sed 's/#.*//' | sort -u)" = "$DATA/t10k-images-idx3-ubyte" ]
    awk -F '\t' 'NF != 3 || $3 < 0.1 || $3 > 1 { exit 1 }' "$BATS_TEST_TMPDIR/out"
    [ "$(cut -f 2 "$BATS_TEST_TMPDIR/out" | grep -cxFf data/fashion-mnist-labels.txt)" -eq 100 ]
}

@test "-k gives more classes, the likeliest first, as many as there are" {
    infer -k 3 "$DATA" | awk -F '\t' 'NF != 7 || $3 < $5 || $5 < $7 { exit 1 }'
    infer -k 99 "$DATA" | awk -F '\t' '
        { sum = 0; for (i = 3; i <= NF; i += 2) sum += $i }
        NF != 21 || sum < 0.99999 || sum > 1.00001 { exit 1 }'
    diff <(infer -k 5 "$DATA" | cut -f 1-3) <(infer "$DATA")
}

@test "--logits prints every class; the largest is the answer" {
    infer --logits --header "$DATA" >"$BATS_TEST_TMPDIR/logits"
    head -n 1 "$BATS_TEST_TMPDIR/logits" | tr '\t' '\n' | diff - <(echo path; cat data/fashion-mnist-labels.txt)
    awk -F '\t' 'NR == 1 { split($0, name); next }
        { at = 2; for (i = 3; i <= NF; i++) if ($i > $at) at = i; print name[at] }' "$BATS_TEST_TMPDIR/logits" |
        diff - <(infer "$DATA" | cut -f 2)
}

@test "--header names the fields, --truth adds the label" {
    [ "$(infer --header -k 2 --truth "$DATA" | head -n 1 | tr '\t' ' ')" = 'path truth label_1 prob_1 label_2 prob_2' ]
    infer --truth "$DATA" | cut -f 2 | diff - <(
        tail -c +9 "$DATA/t10k-labels-idx1-ubyte" | od -An -v -w1 -tu1 |
            while read -r i; do sed -n $((i + 1))p data/fashion-mnist-labels.txt; done
    )
}

@test "--eval agrees with the records" {
    infer --eval "$DATA" >"$BATS_TEST_TMPDIR/eval"
    [ "$(cut -f 1 "$BATS_TEST_TMPDIR/eval" | tr '\n' ' ')" = 'n correct top1 top5 loss ' ]
    infer -k 10 --truth "$DATA" | awk -F '\t' '
        { for (i = 3; i <= NF; i += 2) if ($i == $2) { top1 += i == 3; top5 += i < 13; loss -= log($(i + 1)) } }
        END { printf "n\t%d\ncorrect\t%d\ntop1\t%.9g\ntop5\t%.9g\nloss\t%.4f\n", NR, top1, top1 / NR, top5 / NR, loss / NR }' \
        >"$BATS_TEST_TMPDIR/counted"
    awk -F '\t' '$1 == "loss" { $0 = sprintf("loss\t%.4f", $2) } 1' "$BATS_TEST_TMPDIR/eval" | diff - "$BATS_TEST_TMPDIR/counted"
    [ "$(infer --eval --json "$DATA" | jq -c '[.n, .correct]')" = \
        "[100,$(sed -n 's/^correct\t//p' "$BATS_TEST_TMPDIR/eval")]" ]
}

@test "several data sets count together" {
    infer --eval "$DATA" "$DATA" >"$BATS_TEST_TMPDIR/twice"
    [ "$(sed -n 's/^n\t//p' "$BATS_TEST_TMPDIR/twice")" -eq 200 ]
    diff <(sed -n '/^top/p; /^loss/p' "$BATS_TEST_TMPDIR/twice") \
        <(infer --eval "$DATA" | sed -n '/^top/p; /^loss/p')
}

@test "--part takes the other part" {
    [ "$(infer --part train "$DATA" | wc -l)" -eq 256 ]
    infer --part test "$DATA" | diff - <(infer "$DATA")
}

@test "JSON: an object a line" {
    infer --json -k 2 --truth "$DATA" >"$BATS_TEST_TMPDIR/json"
    [ "$(jq -c 'select((.top | length) == 2 and .top[0].prob >= .top[1].prob) | .path' "$BATS_TEST_TMPDIR/json" | wc -l)" -eq 100 ]
    jq -r '[.path, .top[0].label] | @tsv' "$BATS_TEST_TMPDIR/json" | diff - <(infer "$DATA" | cut -f 1,2)
    [ "$(jq '.top[0].index < 10' "$BATS_TEST_TMPDIR/json" | sort -u)" = true ]
    [ "$(infer --json --logits "$DATA" | jq '.logits | length' | sort -u)" -eq 10 ]
}

@test "standard input" {
    rn-infer -m "$MODEL" - <"$DATA/t10k-images-idx3-ubyte" | cut -f 2- | diff - <(infer "$DATA" | cut -f 2-)
    gzip -c "$DATA/t10k-images-idx3-ubyte" | rn-infer -m "$MODEL" - | cut -f 2- | diff - <(infer "$DATA" | cut -f 2-)
    rn-infer -m - "$DATA" <"$MODEL" | diff - <(infer "$DATA")
}

@test "a model without names answers with numbers" {
    rn-train -a "$NET" -e 1 -o "$BATS_TEST_TMPDIR/numbers" --log /dev/null "$DATA"
    [ "$(rn-infer -m "$BATS_TEST_TMPDIR/numbers" "$DATA" | cut -f 2 | grep -cx '[0-9]')" -eq 100 ]
    rn-infer -m "$BATS_TEST_TMPDIR/numbers" --eval "$DATA" | grep -q '^top1'
}

@test "tab, newline, return, backslash and bytes that are no UTF-8 in names" {
    name=$BATS_TEST_TMPDIR/$'a\tb\nc\rd\\e\xff'
    cut_pictures t10k 1 >"$name"
    rn-infer -m "$MODEL" "$name" >"$BATS_TEST_TMPDIR/out"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 1 ]
    grep -qF "$BATS_TEST_TMPDIR/"'a\tb\nc\rd\\e'$'\xff''#0' "$BATS_TEST_TMPDIR/out"
    rn-infer -m "$MODEL" --json "$name" >"$BATS_TEST_TMPDIR/json"
    [ "$(jq -r .path_hex "$BATS_TEST_TMPDIR/json")" = "$(printf '%s#0' "$name" | od -An -v -tx1 | tr -d ' \n')" ]
    jq -r .path "$BATS_TEST_TMPDIR/json" | grep -q $'\xef\xbf\xbd#0'
}

@test "an input that can't be read has its row in its place" {
    run --separate-stderr rn-infer -m "$MODEL" "$DATA" missing "$DATA"
    [ "$status" -eq 1 ]
    one_error rn-infer 'missing'
    [ "${#lines[@]}" -eq 201 ]
    [ "${lines[100]}" = $'missing\t\t' ]
    run --separate-stderr rn-infer -m "$MODEL" --json "$DATA" missing
    [ "$status" -eq 1 ]
    [ "$(tail -n 1 <<<"$output" | jq -r .path)" = missing ]
    [ -n "$(tail -n 1 <<<"$output" | jq -r .error)" ]
}

@test "when nothing can be done: one line and exit 2" {
    fails 2 'no -m FILE' rn-infer "$DATA"
    fails 2 'no DATA' rn-infer -m "$MODEL"
    fails 2 missing rn-infer -m missing "$DATA"
    fails 2 missing rn-infer -m "$MODEL" missing
    fails 2 missing rn-infer -m "$MODEL" --eval --labels data/fashion-mnist-labels.txt "$DATA" missing
    fails 2 twice rn-infer -m "$MODEL" - -
    fails 2 twice rn-infer -m - -
    fails 2 'goes without' rn-infer -m "$MODEL" --eval -k 2 "$DATA"
    fails 2 'goes without' rn-infer -m "$MODEL" --logits -k 2 "$DATA"
    fails 2 'goes without' rn-infer -m "$MODEL" --json --header "$DATA"
    cut_pictures t10k 3 >"$BATS_TEST_TMPDIR/unlabelled"
    fails 2 'no labels' rn-infer -m "$MODEL" --eval "$BATS_TEST_TMPDIR/unlabelled"
}

@test "a class that the model does not know is named" {
    sed 's/Bag/Purse/' data/fashion-mnist-labels.txt >"$BATS_TEST_TMPDIR/labels"
    fails 2 Purse rn-infer -m "$MODEL" --eval --labels "$BATS_TEST_TMPDIR/labels" "$DATA"
}

@test "data without names are counted in the model's order" {
    rn-infer -m "$MODEL" --eval "$DATA" >"$BATS_TEST_TMPDIR/numbers"
    rn-infer -m "$MODEL" --eval --labels data/fashion-mnist-labels.txt "$DATA" | cmp - "$BATS_TEST_TMPDIR/numbers"
}

@test "a file that is no model is refused with the cure" {
    printf '\x08\0\0\0\0\0\0\0{}      ' >"$BATS_TEST_TMPDIR/empty.safetensors"
    fails 2 'rn-convert' rn-infer -m "$BATS_TEST_TMPDIR/empty.safetensors" "$DATA"
    fails 2 "$DATA/t10k-images-idx3-ubyte" rn-infer -m "$DATA/t10k-images-idx3-ubyte" "$DATA"
}

@test "records come a batch at a time, before the input ends" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    rn-infer -m "$MODEL" -b 4 - <"$BATS_TEST_TMPDIR/pipe" >"$BATS_TEST_TMPDIR/out" &
    exec 7>"$BATS_TEST_TMPDIR/pipe"
    head -c $((16 + 60 * 784)) "$DATA/t10k-images-idx3-ubyte" >&7
    for _ in $(seq 100); do
        [ -s "$BATS_TEST_TMPDIR/out" ] && break
        sleep 0.1
    done
    [ -s "$BATS_TEST_TMPDIR/out" ]
    tail -c +$((17 + 60 * 784)) "$DATA/t10k-images-idx3-ubyte" >&7
    exec 7>&-
    wait $!
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 100 ]
}

# picture W H [ORDER]: a PGM of W x H from a formula, its columns mirrored when ORDER is -1.
picture() {
    awk -v W="$1" -v H="$2" -v order="${3:-1}" 'BEGIN {
        print "P2", W, H, 255
        for (h = 0; h < H; h++) for (w = 0; w < W; w++) {
            x = order > 0 ? w : W - 1 - w
            print (x * x * 7 + h * 13 + x * h) % 256
        }
    }'
}

@test "--tta flip: the mean of the logits of a picture and its mirror image" {
    cd "$BATS_TEST_TMPDIR"
    picture 28 28 >a.pgm
    picture 28 28 -1 >b.pgm
    rn-infer -m "$MODEL" --logits a.pgm b.pgm >plain
    rn-infer -m "$MODEL" --logits --tta flip a.pgm b.pgm >mean
    [ "$(cut -f 2- mean | sort -u | wc -l)" -eq 1 ]
    [ "$(cut -f 2- plain | sort -u | wc -l)" -eq 2 ]
    paste <(head -n 1 plain) <(tail -n 1 plain) <(head -n 1 mean) | awk -F '\t' '{
        for (i = 2; i <= 11; i++) if (($i + $(i + 11)) / 2 - $(i + 22) > 1e-6 || $(i + 22) - ($i + $(i + 11)) / 2 > 1e-6) exit 1
    }'
    rn-infer -m "$MODEL" --logits --tta flip "$DATA" >records
    rn-infer -m "$MODEL" --logits --tta flip -b 7 -j 2 "$DATA" | cmp - records
}

@test "--tta flip --eval: the accuracy of the records" {
    rn-infer -m "$MODEL" --tta flip --truth "$DATA" >"$BATS_TEST_TMPDIR/records"
    right=$(awk -F '\t' '$2 == $3' "$BATS_TEST_TMPDIR/records" | wc -l)
    rn-infer -m "$MODEL" --tta flip --eval "$DATA" >"$BATS_TEST_TMPDIR/eval"
    [ "$(sed -n 's/^correct\t//p' "$BATS_TEST_TMPDIR/eval")" -eq "$right" ]
    run ! diff -q "$BATS_TEST_TMPDIR/eval" <(rn-infer -m "$MODEL" --eval "$DATA")
    fails 2 '--tta: turn: takes flip' rn-infer -m "$MODEL" --tta turn "$DATA"
}
