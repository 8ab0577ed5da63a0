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

@test "what can't be done: one line and exit 2" {
    fails 2 'no IN' rn-convert
    fails 2 'more than one IN' rn-convert "$MODEL" "$MODEL"
    fails 2 'onnx' rn-convert -o out.onnx "$MODEL"
    fails 2 'onnx' rn-convert --to onnx -o out.safetensors "$MODEL"
    fails 2 'missing' rn-convert missing
    fails 2 'goes without' rn-convert --list -o out "$MODEL"
    fails 2 'no/such' rn-convert -o no/such/out "$MODEL"
    [ -z "$(ls)" ]
}
