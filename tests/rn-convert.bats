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
    fails 2 'gguf' rn-convert -o out.gguf "$MODEL"
    fails 2 'gguf' rn-convert --to gguf -o out.safetensors "$MODEL"
    fails 2 'missing' rn-convert missing
    fails 2 'goes without' rn-convert --list -o out "$MODEL"
    fails 2 'no/such' rn-convert -o no/such/out "$MODEL"
    [ -z "$(ls)" ]
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
