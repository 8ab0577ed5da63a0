# rn-summary: d2l's lines, published counts, depths, JSON, operands.
load helpers

setup_file() {
    small_world 64 16
}

field() { # field NAME: that column of a table with a header, without it
    awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}

# style STYLE SHAPE...: d2l's lines, from the shapes alone.
style() {
    local style=$1 shape open='(' close=')'
    [ "$style" != torch ] || { open='torch.Size([' close='])'; }
    for shape in "${@:2:5}"; do
        printf 'Sequential output shape:\t %s%s%s\n' "$open" "$shape" "$close"
    done
    if [ "$style" = mxnet ]; then
        printf 'GlobalAvgPool2D output shape:\t (1, 512, 1, 1)\nDense output shape:\t (1, 10)\n'
    else
        printf 'Sequential output shape:\t %s1, 10%s\n' "$open" "$close"
    fi
}

@test "d2l's lines under four frameworks, to the byte" {
    first=('1, 64, 24, 24' '1, 64, 24, 24' '1, 128, 12, 12' '1, 256, 6, 6' '1, 512, 3, 3')
    last=('1, 24, 24, 64' '1, 24, 24, 64' '1, 12, 12, 128' '1, 6, 6, 256' '1, 3, 3, 512')
    for style in torch mxnet; do
        rn-summary --style $style d2l-resnet18 1x1x96x96 | diff - <(style $style "${first[@]}")
    done
    for style in jax tf; do
        rn-summary --style $style d2l-resnet18 1x1x96x96 | diff - <(style $style "${last[@]}")
    done
}

@test "d2l's twelve lines of single blocks, to the byte" {
    while IFS='|' read -r style spec shape line; do
        [ "$(rn-summary --style "$style" "$spec" "$shape" | od -c)" = "$(echo "$line" | od -c)" ]
    done <<'LINES'
torch|residual|4x3x6x6|torch.Size([4, 3, 6, 6])
torch|residual:proj,stride=2,out=6|4x3x6x6|torch.Size([4, 6, 3, 3])
torch|resnext:out=32,group-width=16|4x32x96x96|torch.Size([4, 32, 96, 96])
mxnet|residual|4x3x6x6|(4, 3, 6, 6)
mxnet|residual:proj,stride=2,out=6|4x3x6x6|(4, 6, 3, 3)
mxnet|resnext:out=32,group-width=16|4x32x96x96|(4, 32, 96, 96)
jax|residual|4x3x6x6|(4, 6, 6, 3)
jax|residual:proj,stride=2,out=6|4x3x6x6|(4, 3, 3, 6)
jax|resnext:out=32,group-width=16|4x32x96x96|(4, 96, 96, 32)
tf|residual|4x3x6x6|TensorShape([4, 6, 6, 3])
tf|residual:proj,stride=2,out=6|4x3x6x6|TensorShape([4, 3, 3, 6])
tf|resnext:out=32,group-width=16|4x32x96x96|TensorShape([4, 96, 96, 32])
LINES
}

@test "a list of all networks, each with what it has alone" {
    rn-summary --list >"$BATS_TEST_TMPDIR/list"
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/list")" = "$(printf 'network\tinput\tparams\tmacs')" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/list")" -ge 50 ]
    grep -qx "$(printf 'resnext50_32x4d\t1x3x224x224\t25028904\t4230479872')" "$BATS_TEST_TMPDIR/list"
    rn-summary --depth total $(cut -f 1 "$BATS_TEST_TMPDIR/list" | sed 1d | grep -e ^cifar -e ^res) |
        cut -f 1,2,3,5 | diff - <(grep -e ^network -e ^cifar -e ^res "$BATS_TEST_TMPDIR/list")
}

@test "receptive fields" { # ResNet-50 of version 1.5: 427, of the paper: 483 (Araujo et al. 2019)
    [ "$(rn-summary resnet50 | field receptive_field | sed -n 5p)" = 427 ]
    [ "$(rn-summary resnet50:stride-at=1x1 | field receptive_field | sed -n 5p)" = 483 ]
    [ "$(rn-summary resnet18 | field receptive_field | tr '\n' ' ')" = '11 43 99 211 435 627 627 ' ]
}

@test "memory as in the other tables, and no values are allocated for it" {
    rn-summary --memory -j 2 resnet18 8x3x64x64 >"$BATS_TEST_TMPDIR/memory"
    [ "$(field parameter_bytes <"$BATS_TEST_TMPDIR/memory")" -eq $((4 * (11689512 + 9600))) ]
    for column in inference_bytes training_bytes; do
        [ "$(field $column <"$BATS_TEST_TMPDIR/memory")" = \
            "$(rn-summary --depth total -j 2 resnet18 8x3x64x64 | field $column)" ]
    done
}

@test "a graph for graphviz: every layer once, every edge from a node" {
    rn-summary --dot --depth layer residual:proj,stride=2,out=6 >"$BATS_TEST_TMPDIR/dot"
    [ "$(grep -c 'label=' "$BATS_TEST_TMPDIR/dot")" -eq 9 ]
    [ "$(grep -c -e '->' "$BATS_TEST_TMPDIR/dot")" -eq 9 ]
    grep -q 'n0 -> n6;' "$BATS_TEST_TMPDIR/dot" # the shortcut
    [ "$(rn-summary --dot resnet50 | grep -e '->' | tr -d ' \n')" = \
        'input->n0;n0->n1;n1->n2;n2->n3;n3->n4;n4->n5;' ]
    rn-summary --dot --depth block resnet50 | awk '
        /label=/ { known[$1] = 1 }
        /->/ { sub(";", "", $3); if (!known[$1] || !known[$3]) exit 1 }'
}

@test "parameters and multiply-accumulates are the published ones" {
    while read -r spec shape params macs; do
        echo "$spec"
        rn-summary --depth total "$spec" "$shape" >"$BATS_TEST_TMPDIR/total"
        [ "$(field params <"$BATS_TEST_TMPDIR/total")" = "$params" ]
        [[ $(field macs <"$BATS_TEST_TMPDIR/total") == $macs ]]
    done <<'ROWS'
d2l-resnet18 1x1x96x96 11178378 318657536
resnet18 1x3x224x224 11689512 1814*
resnet34 1x3x224x224 21797672 3663*
resnet50 1x3x224x224 25557032 4089*
resnet101 1x3x224x224 44549160 7801*
resnet152 1x3x224x224 60192808 11513*
cifar-resnet20 1x3x32x32 269722 *
cifar-resnet32 1x3x32x32 464154 *
cifar-resnet44 1x3x32x32 658586 *
cifar-resnet56 1x3x32x32 853018 *
cifar-resnet110 1x3x32x32 1727962 *
ROWS
}

@test "d2l's parameters by stage" {
    [ "$(rn-summary d2l-resnet18 | field params | tr '\n' ' ')" = \
        '3328 148224 525952 2100480 8395264 5130 11178378 ' ]
}

@test "every depth adds up to the total" {
    for depth in stage block layer; do
        rn-summary --depth "$depth" resnet50 | awk -F '\t' '
            NR > 1 && $2 != "total" { params += $5; macs += $6; bytes += $7 }
            $2 == "total" { exit !(params == $5 && macs == $6 && bytes == $7) }'
    done
    [ "$(rn-summary --depth layer resnet18 | wc -l)" -gt "$(rn-summary --depth block resnet18 | wc -l)" ]
    [ "$(rn-summary --depth block resnet18 | wc -l)" -gt "$(rn-summary resnet18 | wc -l)" ]
}

@test "figures are those of the whole batch" {
    one=$(rn-summary --depth total "$NET" 1x3x32x32 | field macs)
    [ "$(rn-summary --depth total "$NET" 8x3x32x32 | field macs)" -eq $((8 * one)) ]
    [ "$(rn-summary --depth total "$NET" 8x3x32x32 | field params)" = "$(rn-summary --depth total "$NET" | field params)" ]
}

@test "several networks stand in one table" {
    rn-summary --depth total resnet18 resnet34 >"$BATS_TEST_TMPDIR/total"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/total")" -eq 3 ]
    [ "$(rn-summary resnet18 resnet34 | field name | grep -c '^total$')" -eq 2 ]
}

@test "JSON: an object a line" {
    rn-summary --json d2l-resnet18 "$MODEL" >"$BATS_TEST_TMPDIR/json"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/json")" -eq 2 ]
    run jq -c '[.spec, .input, .parameters, .macs, .flops, .inference_bytes > 0, .training_bytes > 0]' "$BATS_TEST_TMPDIR/json"
    [ "${lines[0]}" = '["d2l-resnet18",[1,1,96,96],11178378,318657536,637315072,true,true]' ]
    [ "$(jq -s '.[0] | has("labels")' "$BATS_TEST_TMPDIR/json")" = false ]
    [ "$(jq -s -c '.[1] | [.labels[9], .mean, .std, .resize, (.provenance | type)]' "$BATS_TEST_TMPDIR/json")" = \
        '["Ankle boot",[0],[1],"squash","object"]' ]
}

@test "memory grows with the batch, and training takes more than inference" {
    small=$(rn-summary --json "$NET" 1x3x32x32 | jq .training_bytes)
    large=$(rn-summary --json "$NET" 64x3x32x32 | jq .training_bytes)
    infer=$(rn-summary --json "$NET" 64x3x32x32 | jq .inference_bytes)
    [ "$large" -gt "$small" ]
    [ "$large" -gt "$infer" ]
}

# 493 MB; 637 when every output lived until its own gradient, and scratch and gradients all the time.
@test "training gives away the memory of what nobody reads again" {
    [ "$(rn-summary --json -j 2 d2l-resnet18 128x1x96x96 | jq .training_bytes)" -lt 520000000 ]
}

@test "a model file, also at another size" {
    cd "$BATS_TEST_TMPDIR"
    cp "$MODEL" resnet18
    [ "$(rn-summary --json ./resnet18 | jq -c .input)" = '[1,1,28,28]' ]
    [ "$(rn-summary --json ./resnet18 2x1x14x14 | jq -c .input)" = '[2,1,14,14]' ]
    [ "$(rn-summary --json resnet18 | jq -c .input)" = '[1,3,224,224]' ]
    rn-summary - <"$MODEL" | grep -q total
}

@test "what is neither spec nor file is answered as a spec" {
    fails 2 'nearest is resnet18' rn-summary resnet81
    fails 2 'nearest is classes' rn-summary resnet18:clases=3
    fails 2 'No such file' rn-summary ./resnet18
    run --separate-stderr rn-summary --depth total nonet resnet18
    [ "$status" -eq 1 ]
    one_error rn-summary nonet
    [ "${#lines[@]}" -eq 2 ]
}

@test "an input that does not fit is one line and exit 2" {
    fails 2 '1x0x3x3: takes NxCxHxW' rn-summary resnet18 1x0x3x3
    fails 2 '' rn-summary cifar-resnet20 1x9999999x3x3
    fails 2 'no SPEC' rn-summary
    fails 2 'no SPEC' rn-summary 1x3x32x32
    fails 2 'residual: has 0 classes' rn-train -a residual \
        -o "$BATS_TEST_TMPDIR/x" "$BATS_FILE_TMPDIR/data"
    fails 2 'one of them at a time' rn-summary --style torch --json resnet18
    fails 2 'one of them at a time' rn-summary --dot --memory resnet18
    fails 2 'goes without' rn-summary --memory --depth layer resnet18
    fails 2 'takes no operands' rn-summary --list resnet18
    fails 2 'goes without' rn-summary --style torch --depth layer resnet18
}
