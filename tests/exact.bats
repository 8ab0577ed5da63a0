# Exactness: the same bytes for any threads and batches, and after stopping at any moment. RN_LONG=1
# kills 20 times instead of 5.
load helpers

setup_file() {
    export DATA=$BATS_FILE_TMPDIR/data WHOLE=$BATS_FILE_TMPDIR/whole
    make_data "$DATA" 1500 200
    start=$(date +%s%N)
    rn-train "${SETTINGS[@]}" -o "$WHOLE" --log "$WHOLE.log" "$DATA"
    export MILLISECONDS=$((($(date +%s%N) - start) / 1000000)) # of an unbroken run
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    resume=(rn-train "${SETTINGS[@]}" --save-every 5 --resume --log log -o out "$DATA")
}

SETTINGS=(-a "cifar-resnet20:stages=1x8+1x16+1x16,stem-width=8" -b 32 -e 3 --lr 0.05 --momentum 0.9 --weight-decay 1e-4
    --sched cosine --augment "flip,crop=2" --drop-path 0.3)

# Columns of the log that do not depend on time.
exact_log() { cut -f 1-6 "$1"; }

# Sleeps for a share of an unbroken run, in per mille.
sleep_share() {
    sleep "$(awk -v ms="$MILLISECONDS" -v share="$1" 'BEGIN { printf "%.3f", ms * share / 1e6 }')"
}

# Returns when the run in the background has written its first checkpoint; most of it is yet to come.
await_checkpoint() {
    for _ in $(seq 6000); do
        [ ! -e out.ckpt ] || return 0
        sleep 0.01
    done
    echo "no checkpoint in a minute"
    return 1
}

same_as_whole() {
    cmp out "$WHOLE"
    diff <(exact_log log) <(exact_log "$WHOLE.log")
    [ ! -e out.ckpt ]
}

@test "training: any number of threads and of batches ahead give the same file" {
    for options in '-j 1' '-j 2 --prefetch 0' '-j 3 --prefetch 1' '-j 7 --prefetch 9' '-j 1 --prefetch 0'; do
        # shellcheck disable=SC2086
        rn-train "${SETTINGS[@]}" $options -o out --log log "$DATA"
        cmp out "$WHOLE"
    done
}

@test "training from picture files: decoded anew, kept, any threads: the same file" {
    for i in 0 1 2 3 4 5; do
        mkdir -p "pictures/$((i % 2))"
        { printf 'P5\n28 28\n255\n'; tail -c +$((17 + 784 * i)) "$DATA/train-images-idx3-ubyte" | head -c 784; } \
            >"pictures/$((i % 2))/$i.pgm"
    done
    small=(rn-train -a cifar-resnet20:stages=1x4,stem-width=4 -b 4 -e 3 --size 12 --augment flip,crop=1 --log /dev/null)
    "${small[@]}" -j 1 --prefetch 0 -o one pictures
    "${small[@]}" -j 3 --prefetch 4 -o two pictures
    cmp one two
}

@test "inference: any batch and number of threads give the same records" {
    rn-infer -m "$WHOLE" --logits "$DATA" >records
    for options in '-b 1 -j 1' '-b 7 -j 2' '-b 200 -j 3'; do
        # shellcheck disable=SC2086
        rn-infer -m "$WHOLE" --logits $options "$DATA" | cmp - records
    done
}

@test "kill -9 at random moments, then --resume: as if never stopped" {
    kills=5
    [ -z "${RN_LONG:-}" ] || kills=20
    for i in $(seq $kills); do
        rm -f out out.ckpt log
        share=$((RANDOM % 900 + 20))
        "${resume[@]}" &
        pid=$!
        sleep_share $share
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        echo "kill $i at $share of 1000: $(ls)"
        "${resume[@]}"
        same_as_whole
    done
}

@test "killed again and again" {
    for i in 1 2 3 4; do
        "${resume[@]}" &
        pid=$!
        sleep_share 300
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
    done
    "${resume[@]}"
    same_as_whole
}

@test "SIGTERM and SIGHUP: a checkpoint and exit 75, then --resume" {
    for signal in TERM HUP; do
        rm -f out out.ckpt log
        "${resume[@]}" 2>errors &
        pid=$!
        await_checkpoint
        kill -$signal $pid
        status=0
        wait $pid || status=$?
        cat errors
        [ $status -eq 75 ]
        [ "$(wc -l <errors)" -eq 1 ]
        grep -q -e --resume errors
        [ -s out.ckpt ]
        [ ! -e out ]
        "${resume[@]}"
        same_as_whole
    done
}

@test "a checkpoint is a model that the other tools open" {
    "${resume[@]}" 2>/dev/null &
    pid=$!
    await_checkpoint
    kill -TERM $pid
    wait $pid || true
    rn-infer -m out.ckpt --eval "$DATA" | grep -q top1
    rn-summary ./out.ckpt | grep -q total
    rn-convert --list out.ckpt | grep -q 'optim\.'
}

@test "SIGINT: a checkpoint, then death by SIGINT, so that loops stop" {
    env --default-signal=INT setsid bash -c 'for i in 1 2 3; do "$@"; echo again >>loops; done' - "${resume[@]}" 2>errors &
    pid=$!
    await_checkpoint
    kill -INT -- -$pid
    status=0
    wait $pid || status=$?
    [ $status -eq 130 ]
    [ ! -e loops ]
    [ -s out.ckpt ]
    "${resume[@]}"
    same_as_whole
}

@test "nohup keeps SIGHUP away" {
    (trap '' HUP; exec "${resume[@]}") &
    pid=$!
    await_checkpoint
    kill -HUP $pid
    wait $pid
    same_as_whole
}

@test "--resume with nothing to do: exit 0, the file untouched" {
    "${resume[@]}"
    before=$(stat -c '%i %Y %s' out)
    run --separate-stderr "${resume[@]}"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "$(stat -c '%i %Y %s' out)" = "$before" ]
    same_as_whole
}

@test "--resume refuses other settings and other data, and names them" {
    "${resume[@]}" 2>/dev/null &
    pid=$!
    await_checkpoint
    kill -TERM $pid
    wait $pid || true
    cp out.ckpt kept
    fails 2 'lr' "${resume[@]}" --lr 0.01
    fails 2 'seed' "${resume[@]}" --seed 77
    make_data other 1400 200
    fails 2 '' rn-train "${SETTINGS[@]}" --resume --log log -o out other
    cmp out.ckpt kept
    rn-train "${SETTINGS[@]}" -j 3 --save-every 9 --resume --log log -o out "$DATA"
    same_as_whole
}

# ---- damaged files ----

# flip FILE OFFSET: the file with one bit of that byte turned.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    head -c "$2" "$1"
    printf "\\x$(printf %02x $((byte ^ 16)))"
    tail -c +$(($2 + 2)) "$1"
}

@test "damaged weight files: one line and exit 2" {
    size=$(stat -c %s "$WHOLE")
    head -c $((size / 2)) "$WHOLE" >short
    head -c 5 "$WHOLE" >tiny
    : >empty
    { cat "$WHOLE"; printf x; } >long
    { printf '\xff\xff\xff\xff\xff\xff\xff\x7f'; tail -c +9 "$WHOLE"; } >huge-header
    flip "$WHOLE" $((size - 100)) >flipped-data
    flip "$WHOLE" 9 >flipped-header
    for file in short tiny empty long huge-header flipped-data flipped-header; do
        fails 2 "$file" rn-infer -m "$file" "$DATA"
        fails 2 "$file" rn-summary "./$file"
        fails 2 "$file" rn-convert -o copy "$file"
        fails 2 "$file" rn-train --weights "$file" -o out "$DATA"
        [ ! -e copy ]
        [ ! -e out ]
    done
}

@test "damaged checkpoints: one line and exit 2" {
    "${resume[@]}" 2>/dev/null &
    pid=$!
    await_checkpoint
    kill -TERM $pid
    wait $pid || true
    size=$(stat -c %s out.ckpt)
    head -c $((size / 2)) out.ckpt >half
    flip out.ckpt $((size - 50)) >flipped
    for file in half flipped; do
        cp "$file" out.ckpt
        fails 2 'out.ckpt' "${resume[@]}"
        cmp "$file" out.ckpt
    done
}

@test "damaged IDX files: one line and exit 2" {
    pictures=$DATA/t10k-images-idx3-ubyte
    head -c 10000 "$pictures" >short
    head -c 10 "$pictures" >tiny
    : >empty
    { cat "$pictures"; printf x; } >long
    flip "$pictures" 3 >flipped
    { printf '\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'; tail -c +17 "$pictures"; } >oversized
    gzip -c "$pictures" | head -c 20000 >short.gz
    gzip -c "$pictures" >whole.gz
    flip whole.gz 30000 >flipped.gz
    for file in short tiny empty long flipped oversized short.gz flipped.gz; do
        fails 2 "$file" rn-infer -m "$WHOLE" "$file"
        fails 2 "$file" rn-train "${SETTINGS[@]}" -o out "$file"
        [ ! -e out ]
    done
}

@test "labels that do not fit their pictures: one line and exit 2" {
    make_data bad 50 20
    head -c 30 "$DATA/train-labels-idx1-ubyte" >bad/train-labels-idx1-ubyte
    fails 2 'train-labels-idx1-ubyte' rn-train "${SETTINGS[@]}" -o out bad
    cut_labels train 49 >bad/train-labels-idx1-ubyte
    fails 2 '49' rn-train "${SETTINGS[@]}" -o out bad
}
