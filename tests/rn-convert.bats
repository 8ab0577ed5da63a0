# rn-convert: lists, copies, formats.
load helpers

setup_file() {
    small_world 64 16
}

setup() {
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
}

@test "--list: a row a tensor, torchvision's names and PyTorch's order, figures" {
    rn-convert --list "$MODEL" >list
    [ "$(head -n 1 list)" = $'name\tdtype\tshape\telements\tbytes\tmin\tmax\tmean\tstd\tnan' ]
    cut -f 1-5 list >shapes
    grep -qx $'conv1.weight\tF32\t4x1x3x3\t36\t144' shapes
    grep -qx $'bn1.running_var\tF32\t4\t4\t16' shapes
    grep -qx $'bn1.num_batches_tracked\tI64\t\t1\t8\t2\t2\t2\t0\t0' list
    grep -qx $'fc.weight\tF32\t10x8\t80\t320' shapes
    awk -F '\t' 'NR > 1 && (NF != 10 || $6 > $8 || $8 > $7 || $9 < 0 || $10 != 0) { exit 1 }' list
}

@test "a copy has the same tensors and metadata" {
    rn-convert -o copy.safetensors "$MODEL"
    rn-convert copy.safetensors >again
    cmp copy.safetensors again
    cmp copy.safetensors "$MODEL"
    diff <(rn-summary --json "$MODEL" | jq 'del(.network)') <(rn-summary --json ./again | jq 'del(.network)')
}

@test "through pipes" {
    rn-convert - <"$MODEL" | cmp - "$MODEL"
    rn-convert "$MODEL" | rn-convert --list - | diff - <(rn-convert --list "$MODEL")
    cat "$MODEL" | rn-convert --to safetensors -o - - | cmp - "$MODEL"
}

@test "-o replaces a file whole" {
    echo old >out.safetensors
    rn-convert -o out.safetensors "$MODEL"
    cmp out.safetensors "$MODEL"
    rn-convert -o out.safetensors out.safetensors
    cmp out.safetensors "$MODEL"
    [ "$(ls)" = out.safetensors ]
}

# classify FILE...: what rn-infer makes of the data's pictures.
classify() {
    rn-infer -m "$1" --logits "$DATA"
}

# near FILE FILE: logits whose difference has less than 1e-4 of the second's norm.
near() {
    paste <(tr '\t' '\n' <"$1") "$2" | awk '{ d = $1 - $2; s += d * d; t += $2 * $2 } END { exit !(NR == 10 && s < 1e-8 * t) }'
}

@test "checkpoints of other programs, in a pipe: their spec, their logits" {
    golden=$BATS_TEST_DIRNAME/golden/checkpoints
    for name in option-b option-a-old notebook; do
        rn-convert --preset cifar10 "$golden/$name.pth" 2>said |
            rn-infer -m - --logits "$golden/noise.ppm" | cut -f 2- >logits
        near logits "$golden/$name.logits"
        cat said >>all
    done
    grep -q 'option-b.pth: taken for cifar-resnet20:stages=2x4+1x8,stem-width=4,shortcut=conv-bn by cifar$' all
    grep -q 'option-a-old.pth: taken for cifar-resnet20:stages=2x4+1x8,stem-width=4 by cifar$' all
    grep -q 'notebook.pth: taken for d2l-resnet18:in=3,stages=2x4+2x8,stem-width=4 by notebook$' all
    # option A's zeros at the end: another function, which only -a can tell
    rn-convert -a cifar-resnet20:stages=2x4+1x8,stem-width=4,shortcut=pad-end --preset cifar10 "$golden/option-a-old.pth" |
        rn-infer -m - --logits "$golden/noise.ppm" | cut -f 2- >logits
    run near logits "$golden/option-a-old.logits"
    [ "$status" -eq 1 ]
}

@test "what is recognised is said, unless it was told or -q" {
    rn-convert --names huggingface "$MODEL" >foreign
    rn-convert -o a.safetensors foreign 2>said
    [ "$(cat said)" = "rn-convert: foreign: taken for cifar-resnet20:in=1,stages=1x4+1x8+1x8,stem-width=4 by huggingface" ]
    run --separate-stderr rn-convert -q -o b.safetensors foreign
    [ -z "$stderr" ]
    run --separate-stderr rn-convert -a "$NET" -o c.safetensors foreign
    [ -z "$stderr" ]
    cmp a.safetensors b.safetensors
    cmp a.safetensors c.safetensors
}

@test "--names: out and in again, the same tensors" {
    for names in torchvision huggingface cifar d2l; do
        rn-convert --names "$names" -o theirs.safetensors "$MODEL"
        rn-convert -q -o ours.safetensors theirs.safetensors
        rn-convert --diff "$MODEL" ours.safetensors | awk -F '\t' 'NR > 1 && $2 != 0 { exit 1 }'
    done
    rn-convert --names huggingface "$MODEL" | rn-convert -q --diff "$MODEL" - >/dev/null
    rn-convert --names keep theirs.safetensors | rn-convert --list - | diff - <(rn-convert --list theirs.safetensors)
    fails 2 'there are torchvision' rn-convert --names klingon -o x "$MODEL"
    fails 2 'goes alone' rn-convert --names keep --fold -o x "$MODEL"
}

@test "a file without a network, or of another, is refused with the reason and no output" {
    rn-convert --names torchvision "$MODEL" >foreign
    fails 2 'layer1.1' rn-convert -a cifar-resnet20:stem-width=4,stages=2x4+1x8+1x8 -o x foreign
    fails 2 'nearest is' rn-convert -a resnet -o x foreign
    [ ! -e x ]
}

@test "labels and preprocessing, by options over a preset" {
    rn-convert --preset fashion-mnist --std 0.5 -o a.safetensors "$MODEL"
    rn-summary --json ./a.safetensors >summary
    jq -e '.mean[0] > 0.285 and .mean[0] < 0.287 and .std == [0.5] and .labels[9] == "Ankle boot"' summary
    printf 'l%d\n' 0 1 2 3 4 5 6 7 8 9 >labels
    rn-convert --labels labels --size 20x24 -o b.safetensors "$MODEL"
    rn-summary --json ./b.safetensors | jq -e '.labels[3] == "l3" and .input == [1, 1, 20, 24]'
    head -n 9 labels >nine
    fails 2 '10 classes, the labels name 9' rn-convert --labels nine -o x "$MODEL"
    fails 2 'no-such' rn-convert --labels no-such -o x "$MODEL"
    fails 2 'takes imagenet, cifar10' rn-convert --preset cifar11 -o x "$MODEL"
    fails 2 '--resize: crop: takes squash' rn-convert --resize crop -o x "$MODEL"
    [ ! -e x ]
}

@test "--fold: no batch norms, the same bits" {
    rn-convert --fold -o folded.safetensors "$MODEL"
    diff <(classify "$MODEL") <(classify folded.safetensors)
    ! rn-convert --list folded.safetensors | grep -q bn1
    rn-convert --compare "$MODEL" folded.safetensors >table
    [ "$(head -n 1 table)" = $'block\tabsolute\trelative' ]
    [ "$(cut -f 1 table | tr '\n' ' ')" = 'block stem layer1.0 layer2.0 layer3.0 head ' ]
    awk -F '\t' 'NR > 1 && ($2 != 0 || $3 != 0) { exit 1 }' table
}

@test "--dtype: half as large, nearly the same; --diff and --compare say how near" {
    rn-convert --dtype f16 -o f16.safetensors "$MODEL"
    rn-convert --list f16.safetensors | grep -q $'^conv1.weight\tF16\t4x1x3x3\t36\t72\t'
    rn-convert --dtype f32 f16.safetensors | rn-infer -m - --logits "$DATA" | diff - <(classify f16.safetensors)
    run --separate-stderr rn-convert --diff "$MODEL" f16.safetensors
    [ "$status" -eq 1 ]
    [ -z "$stderr" ]
    rn-convert --diff --tol 0.0005 "$MODEL" f16.safetensors >/dev/null
    run --separate-stderr rn-convert --compare "$MODEL" f16.safetensors
    [ "$status" -eq 1 ]
    [ "$stderr" = 'rn-convert: the first that differs is stem' ]
    rn-convert --compare "$MODEL" --tol 0.01 f16.safetensors >/dev/null
}

@test "--diff: what is missing, added and of another shape" {
    rn-convert --head 3 -o head.safetensors "$MODEL"
    rn-convert --fold -o folded.safetensors "$MODEL"
    rn-convert --diff "$MODEL" head.safetensors >table || status=$?
    [ "$status" -eq 1 ]
    grep -qx $'fc.weight\tshape\t' table
    rn-convert --diff "$MODEL" folded.safetensors >table || status=$?
    grep -qx $'bn1.weight\tmissing\t' table
    grep -qx $'conv1.bias\tadded\t' table
}

@test "--strip: a checkpoint's model" {
    rn-train -a "$NET" -e 1000 -b 32 --momentum 0.9 --save-every 1 --log /dev/null -o run.safetensors "$DATA" &
    for _ in $(seq 200); do
        [ ! -s run.safetensors.ckpt ] || break
        sleep 0.05
    done
    kill -9 $!
    rn-convert --list run.safetensors.ckpt | grep -q '^optim.momentum.conv1.weight'
    rn-convert --strip -o stripped.safetensors run.safetensors.ckpt
    [ -z "$(rn-convert --list stripped.safetensors | grep optim)" ]
    rn-infer -m stripped.safetensors --eval "$DATA" >/dev/null
}

@test "--head, --average" {
    rn-convert --head 3 -o head.safetensors "$MODEL"
    rn-summary --json ./head.safetensors | jq -e '.labels == null and (.rows[-1].output == [1, 3])'
    rn-convert --average -o same.safetensors "$MODEL" "$MODEL" "$MODEL"
    rn-convert --diff "$MODEL" same.safetensors >/dev/null
    fails 2 'there is no mean' rn-convert --average -o x "$MODEL" head.safetensors
    fails 2 'no averaged parameters' rn-convert --ema -o x "$MODEL"
}

@test "what can't be done: one line and exit 2" {
    fails 2 'no IN' rn-convert
    fails 2 'more than one IN' rn-convert "$MODEL" "$MODEL"
    fails 2 'takes two' rn-convert --diff "$MODEL"
    fails 2 'one of them' rn-convert --diff --list "$MODEL" "$MODEL"
    fails 2 'gguf' rn-convert -o out.gguf "$MODEL"
    fails 2 'gguf' rn-convert --to gguf -o out.safetensors "$MODEL"
    fails 2 'missing' rn-convert missing
    fails 2 'goes without' rn-convert --list -o out "$MODEL"
    fails 2 'no/such' rn-convert -o no/such/out "$MODEL"
    [ -z "$(ls)" ]
}

@test "--grow: the same outputs, and training goes on" {
    rn-convert --grow cifar-resnet20:stages=2x4+3x8+1x8,stem-width=4 --verify -o grown "$MODEL" >said
    [ "$(cat said)" = $'difference\t0' ]
    rn-infer -m "$MODEL" --logits "$DATA" | cmp - <(rn-infer -m grown --logits "$DATA")
    rn-convert --grow cifar-resnet20:stages=2x4+3x8+1x8,stem-width=4 --behind 0 "$MODEL" >behind
    rn-infer -m behind --logits "$DATA" | cmp - <(rn-infer -m grown --logits "$DATA")
    rn-train --weights grown -e 1 -b 32 --lr 0.01 --log /dev/null -o on "$DATA"
    [ "$(rn-convert --list on | wc -l)" -eq "$(rn-convert --list grown | wc -l)" ]
    run ! cmp -s on grown
}

@test "--ungroup: dense, with the same outputs" {
    rn-train -a cifar-resnet20:stages=1x8+1x16,stem-width=8,groups=4 -e 1 -b 32 --log /dev/null -o grouped "$DATA"
    rn-convert --ungroup --verify -o dense grouped >said
    awk -F '\t' '$1 == "difference" && $2 < 1e-6 { good = 1 } END { exit !good }' said
    [ "$(rn-convert --list dense | awk '$1 == "layer1.0.conv1.weight" { print $3 }')" = 8x8x3x3 ]
    fails 2 'no grouped convolution' rn-convert --ungroup -o out dense
    [ ! -e out ]
}

@test "options that would be ignored are refused" {
    fails 2 'goes without --arch' rn-convert --list -a resnet18 "$MODEL"
    fails 2 '--tol goes with' rn-convert --tol 3 -o out "$MODEL"
    fails 2 'describes a model' rn-convert --names torchvision --preset fashion-mnist -o out "$MODEL"
    fails 2 'not npz' rn-convert --grow cifar-resnet32 -o out.npz "$MODEL"
    fails 2 'out.bin: no weight format is called bin' rn-convert -o out.bin "$MODEL"
    fails 2 'squash' rn-convert --preset fashion-mnist --resize short=40,crop=32 --size 28 -o out "$MODEL"
    printf 'a\na\n' >twice
    fails 2 'the same class' rn-convert --labels twice -o out "$MODEL"
    [ ! -e out ]
}

@test "--average: other preprocessing has no mean" {
    rn-convert --mean 0.1 -o one "$MODEL"
    rn-convert --mean 0.2 -o two "$MODEL"
    fails 2 'differ in rn.mean' rn-convert --average -o out one two
    [ ! -e out ]
}

@test "a .pt is PyTorch's too" {
    rn-convert -o out.pt "$MODEL"
    rn-convert --to pth "$MODEL" | cmp - out.pt
}

@test "growing: what is refused" {
    fails 2 'none is number 900' rn-convert --grow cifar-resnet20:stages=2x4+3x8+1x8,stem-width=4 --behind 900 -o out "$MODEL"
    fails 2 'more blocks' rn-convert --grow cifar-resnet20:stages=1x4+1x8+1x16,stem-width=4 -o out "$MODEL"
    fails 2 'differ in stem-width' rn-convert --grow cifar-resnet20 -o out "$MODEL"
    fails 2 '--verify goes with' rn-convert --verify -o out "$MODEL"
    fails 2 '--behind goes with' rn-convert --behind 1 -o out "$MODEL"
    fails 2 'give -o FILE' rn-convert --grow cifar-resnet32 --verify "$MODEL"
    fails 2 '--list' rn-convert --grow cifar-resnet32 --list "$MODEL"
    [ ! -e out ]
}

@test ".pth and .npz: out and back, the same bytes" {
    for format in pth npz; do
        rn-convert -o "out.$format" "$MODEL"
        rn-convert "out.$format" | cmp - "$MODEL"
        rn-convert --to "$format" "$MODEL" | cmp - "out.$format"
        rn-convert --to safetensors - <"out.$format" | cmp - "$MODEL"
        rn-convert --list "out.$format" | diff - <(rn-convert --list "$MODEL")
    done
    rn-convert --to npz out.pth | cmp - out.npz
    rn-convert --to pth out.npz | cmp - out.pth
}

@test "NumPy has no bfloat16: said with the way out, nothing written" {
    rn-convert --dtype bf16 -o half.safetensors "$MODEL"
    fails 2 'NumPy has no BF16, F32 (--dtype f32) holds it' rn-convert -o half.npz half.safetensors
    [ ! -e half.npz ]
    rn-convert --dtype f32 -o half.npz half.safetensors
}

@test "a .pth goes through a pipe into rn-infer" {
    rn-convert -o model.pth "$MODEL"
    rn-convert model.pth | rn-infer -m - "$DATA" >ours
    rn-infer -m "$MODEL" "$DATA" | cmp - ours
}

@test "the other tools link no format but their own, and say who reads the rest" {
    rn-convert -o model.pth "$MODEL"
    rn-convert -o model.npz "$MODEL"
    fails 2 'which rn-convert reads' rn-infer -m model.pth "$DATA"
    fails 2 'which rn-convert reads' rn-infer -m model.npz "$DATA"
    if command -v nm >/dev/null; then
        nm "$RN_BUILD/rn-convert" | grep -q rn_pickle_next
        run ! grep -q rn_pickle_next <(nm "$RN_BUILD/rn-infer")
    fi
}

@test "a damaged copy is refused, whatever the format" {
    for format in pth npz; do
        rn-convert -o "out.$format" "$MODEL"
        printf X | dd of="out.$format" bs=1 seek=3000 conv=notrunc status=none
        fails 2 "out.$format" rn-convert --list "out.$format"
    done
}
