# rn-convert: lists, copies, formats.
load helpers

setup_file() {
    small_world 64 16
}

setup() {
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
}

@test "--list: a row a tensor, torchvision's names and PyTorch's order" {
    rn-convert --list "$MODEL" >list
    [ "$(head -n 1 list)" = $'name\tdtype\tshape\telements\tbytes' ]
    grep -qx $'conv1.weight\tF32\t4x1x3x3\t36\t144' list
    grep -qx $'bn1.running_var\tF32\t4\t4\t16' list
    grep -qx $'bn1.num_batches_tracked\tI64\t\t1\t8' list
    grep -qx $'fc.weight\tF32\t10x8\t80\t320' list
    awk -F '\t' 'NR > 1 && NF != 5 { exit 1 }' list
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

@test "what can't be done: one line and exit 2" {
    fails 2 'no IN' rn-convert
    fails 2 'more than one IN' rn-convert "$MODEL" "$MODEL"
    fails 2 'pth' rn-convert -o out.pth "$MODEL"
    fails 2 'pth' rn-convert --to pth -o out.safetensors "$MODEL"
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

@test "growing: what is refused" {
    fails 2 'more blocks' rn-convert --grow cifar-resnet20:stages=1x4+1x8+1x16,stem-width=4 -o out "$MODEL"
    fails 2 'differ in stem-width' rn-convert --grow cifar-resnet20 -o out "$MODEL"
    fails 2 '--verify goes with' rn-convert --verify -o out "$MODEL"
    fails 2 '--behind goes with' rn-convert --behind 1 -o out "$MODEL"
    fails 2 'give -o FILE' rn-convert --grow cifar-resnet32 --verify "$MODEL"
    fails 2 '--list' rn-convert --grow cifar-resnet32 --list "$MODEL"
    [ ! -e out ]
}
