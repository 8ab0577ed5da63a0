# rn-train: the log, the model, what the options do, and what is refused.
load helpers

setup_file() {
    export DATA=$BATS_FILE_TMPDIR/data
    make_data "$DATA" 256 100
}

setup() {
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
    labels=$BATS_TEST_DIRNAME/../data/fashion-mnist-labels.txt
}

train() {
    rn-train -a "$NET" -b 32 -e 1 "$@" "$DATA"
}

column() { # column NAME: of a log, without its header
    awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}

@test "the log: a header, a row an epoch, numbers" {
    train -e 3 --lr 0.05 -o out >log
    [ "$(head -n 1 log | tr '\t' ' ')" = 'epoch step train_loss val_loss val_acc lr images_per_s seconds_s data_wait_pct' ]
    [ "$(column epoch <log | tr '\n' ' ')" = '1 2 3 ' ]
    [ "$(column step <log | tr '\n' ' ')" = '8 16 24 ' ]
    awk -F '\t' 'NR > 1 { for (i = 1; i <= NF; i++) if ($i !~ /^[0-9.e+-]+$/) exit 1 }' log
    awk -F '\t' 'NR > 1 && ($3 <= 0 || $3 > 10 || $5 < 0 || $5 > 1 || $7 <= 0) { exit 1 }' log
    [ -s out ]
    [ ! -e out.ckpt ]
    [ "$(ls)" = $'log\nout' ]
}

@test "it learns" {
    rn-train -a "$NET" -b 16 -e 12 --lr 0.05 --momentum 0.9 -o out "$DATA" >log
    awk -F '\t' 'NR == 2 { first = $3 } END { exit !($3 < first / 2 && $5 > 0.4) }' log
}

@test "rn-infer --eval gives the figures of the log, to the last digit" {
    train -e 2 --lr 0.05 -o out >log
    [ "$(rn-infer -m out --eval "$DATA" | sed -n 's/^top1\t//p')" = "$(column val_acc <log | tail -n 1)" ]
    [ "$(rn-infer -m out --eval "$DATA" | sed -n 's/^loss\t//p')" = "$(column val_loss <log | tail -n 1)" ]
    [ "$(rn-infer -j 1 -b 7 -m out --eval "$DATA" | sed -n 's/^loss\t//p')" = "$(column val_loss <log | tail -n 1)" ]
}

@test "without validation data these fields are empty" {
    rn-train -a "$NET" -e 1 -o out "$DATA/train-images-idx3-ubyte" >log
    [ "$(column val_loss <log)$(column val_acc <log)" = '' ]
    awk -F '\t' 'NF != 9 || $9 < 0 || $9 > 100 { if (NR > 1) exit 1 }' log
}

@test "--val takes other data" {
    train --val "$DATA/t10k-images-idx3-ubyte" -o a >log
    train -o b >log2
    cmp a b
    [ "$(column val_loss <log)" = "$(column val_loss <log2)" ]
}

@test "--steps ends within an epoch" {
    train -e 5 --steps 11 -o out >log
    [ "$(column step <log | tail -n 1)" -eq 11 ]
}

@test "the model carries labels, size, mean and std" {
    train --labels "$labels" --size 20 --mean 0.2860 --std 0.3530 -o out >log
    rn-summary --json out >json
    [ "$(jq -r '.labels[]' json)" = "$(cat "$labels")" ]
    [ "$(jq -c .input json)" = '[1,1,20,20]' ]
    [ "$(jq -c '[(.mean[0] * 1000 | round), (.std[0] * 1000 | round), .resize]' json)" = '[286,353,"squash"]' ]
    [[ $(jq -r .spec json) == *stem-width=4* ]]
    [ "$(rn-infer -m out --eval --labels "$labels" "$DATA" | sed -n 's/^top1\t//p')" = "$(column val_acc <log)" ]
}

@test "--resize: training, log, model and rn-infer see the same pictures" {
    train -e 2 --resize short=24,crop=16 --mean 0.3 --std 0.4 -o out >log
    rn-summary --json out >json
    [ "$(jq -c '[.input, .resize]' json)" = '[[1,1,16,16],"short=24,crop=16"]' ]
    [ "$(rn-infer -m out --eval "$DATA" | sed -n 's/^loss\t//p')" = "$(column val_loss <log | tail -n 1)" ]
    train -e 2 --size 16 --mean 0.3 --std 0.4 -o squashed >log2
    run ! cmp -s <(column val_loss <log) <(column val_loss <log2)
    train --resize short=8,crop=20 --augment flip,resized-crop=0.3 -o padded >log
    [ "$(rn-infer -m padded --eval "$DATA" | sed -n 's/^loss\t//p')" = "$(column val_loss <log)" ]
    rn-train --weights out -b 32 -e 1 -o tuned "$DATA" >log
    [ "$(rn-summary --json tuned | jq -c '[.input, .resize]')" = '[[1,1,16,16],"short=24,crop=16"]' ]
    rn-train --weights out --size 20 -b 32 -e 1 -o tuned "$DATA" >log
    [ "$(rn-summary --json tuned | jq -c '[.input, .resize]')" = '[[1,1,20,20],"squash"]' ]
}

@test "--resize and --augment: what is refused" {
    for how in '' crop short=20 short=20,crop=0 short=0,crop=20 short=9000,crop=20 'short=20,crop=20 '; do
        fails 2 'resize' rn-train -a "$NET" -o out --resize "$how" "$DATA"
    done
    fails 2 'gives 16x16, not --size 20x20' rn-train -a "$NET" -o out --resize short=20,crop=16 --size 20 "$DATA"
    for item in resized-crop= resized-crop=0 resized-crop=1.1 resized-crop=nan resized-crop=0.5x; do
        fails 2 'augment' rn-train -a "$NET" -o out --augment "$item" "$DATA"
    done
}

@test "random resized crops: the same model for any threads" {
    options='-e 2 --augment flip,crop=1,resized-crop --resize short=20,crop=16'
    # shellcheck disable=SC2086
    train -j 1 $options -o a >log
    # shellcheck disable=SC2086
    train -j 3 $options -o b >log
    cmp a b
}

@test "--resume with other validation data is refused" {
    train -e 200 --save-every 1 --log log -o out &
    until [ -e out.ckpt ]; do sleep 0.02; done
    kill -TERM $!
    wait $! || true
    fails 2 'other validation data' rn-train -a "$NET" -b 32 -e 200 --save-every 1 --log log --resume -o out \
        --val "$DATA/train-images-idx3-ubyte" "$DATA"
}

@test "provenance has the settings, never paths, threads or time" {
    train -j 1 --lr 0.03 --seed 5 -o out >log
    rn-summary --json out | jq -c .provenance >provenance
    grep -q '"seed":"\?5' provenance
    grep -q '0.03' provenance
    run ! grep -qi -e "$DATA" -e threads -e '"time' -e host provenance
}

@test "equal runs give equal files, another seed another" {
    train --seed 1 -o a >log
    train --seed 1 -o b >log
    train --seed 2 -o c >log
    cmp a b
    run ! cmp -s a c
}

@test "every option of the arithmetic changes the result" {
    train -o plain >log
    for option in '--lr 0.02' '--momentum 0.5' '--weight-decay 0.01' '--sched cosine' '--warmup-epochs 0.5' '--augment flip' \
        '--augment crop=2' '--mean 0.3' '--std 0.5' '--seed 9' '-b 33' '--init xavier' '--momentum 0.5 --nesterov' \
        '--size 24' '--resize short=28,crop=24' '--augment resized-crop' '--augment resized-crop=0.5' '-e 2' '--steps 3' \
        '--drop-path 0.5' '--zero-init-residual'; do
        echo "$option"
        # shellcheck disable=SC2086
        train $option -o "other$option" >log
        run ! cmp -s plain "other$option"
    done
    run ! cmp -s 'other--momentum 0.5' 'other--momentum 0.5 --nesterov'
    train --init kaiming -o kaiming >log
}

@test "the rate: constant, step, cosine, warm-up" {
    train -e 4 --lr 0.1 --sched step --milestones 1,3 --gamma 0.5 -o a | column lr | tr '\n' ' ' >rates
    [ "$(cat rates)" = '0.1 0.05 0.05 0.025 ' ]
    train -e 3 --lr 0.1 -o b | column lr | tr '\n' ' ' >rates
    [ "$(cat rates)" = '0.1 0.1 0.1 ' ]
    train -e 3 --lr 0.1 --sched cosine -o c | column lr | awk '$1 > 0.1 || (NR > 1 && $1 >= last) { exit 1 } { last = $1 }'
    train -e 4 --lr 0.1 --sched linear --warmup-epochs 1 -o e | column lr | tr '\n' ' ' >rates
    [ "$(cat rates)" = '0.1 0.0708333333 0.0375 0.00416666667 ' ]
    train -e 3 --lr 0.1 --warmup-epochs 2 -o d | column lr | awk 'NR == 1 && $1 >= 0.06 { exit 1 } NR == 3 && $1 != 0.1 { exit 1 }'
}

# Settings of a model, from its provenance: setting FILE KEY
setting() {
    rn-summary --json "$1" | jq -r ".provenance | if type == \"string\" then fromjson else . end | .[\"$2\"]"
}

@test "smoothing, decay of weights only, flips in turn: each gives another model, and stands in it" {
    decay=(--lr 0.05 --weight-decay 0.05)
    train -o plain "${decay[@]}" >log
    train -o smooth "${decay[@]}" --label-smoothing 0.2 >log2
    train -o only "${decay[@]}" --decay-weights-only >log3
    train -o flips "${decay[@]}" --augment flip >log4
    train -o turns "${decay[@]}" --augment flip=alternating >log5
    [ "$(for f in plain smooth only flips turns; do cksum <$f; done | sort -u | wc -l)" -eq 5 ]
    [ "$(setting smooth label-smoothing) $(setting plain label-smoothing)" = '0.2 null' ]
    [ "$(setting only decay-weights-only) $(setting plain decay-weights-only)" = 'true null' ]
    [ "$(setting plain flip) $(setting flips flip) $(setting turns flip)" = 'false true alternating' ]
    [ "$(rn-infer -m smooth --eval "$DATA" | sed -n 's/^loss\t//p')" = "$(column val_loss <log2)" ]
    fails 2 'needs --weight-decay' rn-train -a "$NET" -b 32 -o out --decay-weights-only "$DATA"
    fails 2 '--label-smoothing: 1.1: takes' rn-train -a "$NET" -b 32 -o out --label-smoothing 1.1 "$DATA"
    fails 2 'flip=alternating' rn-train -a "$NET" -b 32 -o out --augment flip=odd "$DATA"
    fails 2 'each change once' rn-train -a "$NET" -b 32 -o out --augment flip,flip=alternating "$DATA"
}

@test "--weights: the network is the file's, and a longer training goes lower" {
    train -e 2 --lr 0.05 -o base >log
    rn-train --weights base -b 32 -e 2 --lr 0.02 -o tuned "$DATA" >log2
    [ "$(rn-summary --json tuned | jq .spec)" = "$(rn-summary --json base | jq .spec)" ]
    awk -v a="$(column train_loss <log | tail -n 1)" -v b="$(column train_loss <log2 | tail -n 1)" 'BEGIN { exit !(b < a) }'
}

@test "--weights: another number of classes is a new classifier, and said" {
    train -o base >log
    { cat "$labels"; echo Hat; echo Scarf; } >more
    run --separate-stderr rn-train --labels more --weights base -e 1 -o tuned --log /dev/null "$DATA"
    echo "$stderr"
    [ "$status" -eq 0 ]
    one_error rn-train classif
    run --separate-stderr rn-train -q --labels more --weights base -e 1 -o quiet --log /dev/null "$DATA"
    [ -z "$stderr" ]
    fails 2 base rn-train -a cifar-resnet20 --weights base -e 1 -o other "$DATA"
}

@test "--log writes a file, and nothing to stdout" {
    run --separate-stderr train --log table -o out
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    [ "$(wc -l <table)" -eq 2 ]
}

@test "a loss that is not finite stops: exit 1, no model" {
    run --separate-stderr train -e 5 --lr 1000 --weight-decay 1 --log /dev/null -o out
    echo "$status $stderr"
    [ "$status" -eq 1 ]
    one_error rn-train finite
    [ ! -e out ]
}

@test "a checkpoint in the way is refused unless --resume or -f" {
    train -o out --save-every 2 >/dev/null
    touch out.ckpt
    fails 2 'out.ckpt' rn-train -a "$NET" -e 1 -o out "$DATA"
    train -f -o out >/dev/null
    [ ! -e out.ckpt ]
}

@test "an existing model is replaced when the new one is complete" {
    echo old >out
    train -o out >/dev/null
    rn-summary ./out >/dev/null
}

@test "what can't be done: one line and exit 2, nothing left behind" {
    fails 2 'no -a SPEC' rn-train -o out "$DATA"
    fails 2 'no -o FILE' rn-train -a "$NET" "$DATA"
    fails 2 '-o -' rn-train -a "$NET" -o - "$DATA"
    fails 2 'no DATA' rn-train -a "$NET" -o out
    fails 2 'more than one DATA' rn-train -a "$NET" -o out "$DATA" "$DATA"
    fails 2 'missing' rn-train -a "$NET" -o out missing
    fails 2 'missing' rn-train -a "$NET" -o out --val missing "$DATA"
    fails 2 'missing' rn-train -a "$NET" -o out --labels missing "$DATA"
    fails 2 'missing' rn-train --weights missing -o out "$DATA"
    fails 2 'nearest is' rn-train -a resnet81 -o out "$DATA"
    fails 2 'no/such' rn-train -a "$NET" -o no/such/out "$DATA"
    fails 2 '' rn-train -a "$NET,in=3" -o out "$DATA"
    fails 2 '' rn-train -a "$NET,classes=5" -o out "$DATA"
    fails 2 '' rn-train -a "$NET" --mean 0.1,0.2 -o out "$DATA"
    fails 2 'two residual blocks' rn-train -a "$NET,plain" --drop-path 0.5 -o out "$DATA"
    fails 2 'no residual block' rn-train -a "$NET,plain" --zero-init-residual -o out "$DATA"
    cut_pictures train 4 >unlabelled
    fails 2 'labels' rn-train -a "$NET" -o out unlabelled
    [ "$(ls)" = unlabelled ]
}

@test "a log that can't be written is exit 2 before any work" {
    fails 2 'no/such' rn-train -a "$NET" -e 1 --log no/such/log -o out "$DATA"
    [ ! -e out ]
}

@test "validation data that can't serve are refused before any work" {
    cut_pictures t10k 3 >unlabelled
    fails 2 'with labels' rn-train -a "$NET" -b 32 -o out --val unlabelled "$DATA"
    fails 2 'from a file' rn-train -a "$NET" -b 32 -o out --val - "$DATA" <"$DATA/t10k-images-idx3-ubyte"
    [ "$(ls)" = unlabelled ]
}

@test "a last step that breaks the model writes nothing" {
    for steps in 1 2 3 4 5 6; do
        fails 1 'not finite' rn-train -a "$NET" -b 32 --steps $steps --lr 1000 --weight-decay 1 -o out --log log "$DATA"
    done
    [ "$(ls)" = log ]
    ! grep -i nan log
}

@test "milestones and --sched step go together" {
    fails 2 'sched step' rn-train -a "$NET" -b 32 -o out --milestones 1 "$DATA"
    fails 2 'milestones' rn-train -a "$NET" -b 32 -o out --sched step "$DATA"
    fails 2 'gamma is for --sched step' rn-train -a "$NET" -b 32 -o out --gamma 0.1 "$DATA"
    fails 2 'gamma is for --sched step' rn-train -a "$NET" -b 32 -o out --gamma 0.5 --sched cosine "$DATA"
}

@test "a checkpoint on an epoch's last step: its row is there once" {
    for delay in 0.02 0.05 0.1 0.15 0.2 0.3; do
        rm -f out out.ckpt log
        rn-train -a "$NET" -b 32 -e 3 --save-every 4 --log log -o out "$DATA" &
        sleep $delay
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        train -e 3 --save-every 4 --log log -o out --resume
        [ "$(column epoch <log | tr '\n' ' ')" = '1 2 3 ' ]
    done
}

@test "--log /dev/null and --resume" {
    rn-train -a "$NET" -b 32 -e 1 -o out --log /dev/null --save-every 2 "$DATA" &
    sleep 0.05
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    train -o out --log /dev/null --save-every 2 --resume
    [ -s out ]
}

@test "-f starts over: the old checkpoint is gone at once" {
    rn-train -a "$NET" -b 32 -e 9 --save-every 1 -o out --log log "$DATA" &
    for i in $(seq 500); do [ ! -e out.ckpt ] || break; sleep 0.01; done
    kill -9 $!
    wait $! 2>/dev/null || true
    fails 2 resume rn-train -a "$NET" -b 32 -e 9 -o out --log log "$DATA"
    train -e 2 -o out --log log -f
    [ ! -e out.ckpt ]
    [ "$(column epoch <log | tr '\n' ' ')" = '1 2 ' ]
}

@test "class names from a pipe" {
    train -o out --labels <(cat "$labels") >log
    train -o out2 --labels "$labels" >log2
    cmp out out2
}

@test "what is read is never written to" {
    cp -r "$DATA" d
    cp "$labels" names
    sums=$(cat d/* names | cksum)
    fails 2 overwritten rn-train -a "$NET" -o d/train-images-idx3-ubyte --val d d/train-images-idx3-ubyte
    fails 2 overwritten rn-train -a "$NET" -o out --log names --labels names d
    fails 2 'is a model' rn-train -a "$NET" -o out --log out d
    fails 2 'no name' rn-train -a "$NET" -o '' d
    fails 2 'one of them' rn-train -a "$NET" -o out -f --resume d
    [ "$sums" = "$(cat d/* names | cksum)" ]
    [ ! -e out ]
}
