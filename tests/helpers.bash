# What the bats files share: where the tools are, small data cut from Fashion-MNIST, a narrow network,
# and what an error looks like.
bats_require_minimum_version 1.5.0
export LC_ALL=C OMP_NUM_THREADS=1 # narrow networks, busy machines; exact.bats asks for more
: "${RN_BUILD:=$PWD/build/plain}"
PATH=$RN_BUILD:$PATH
TOOLS=(rn-train rn-infer rn-summary rn-convert rn-bench)
FASHION=/usr/share/datasets/fashion-mnist
NET=cifar-resnet20:stages=1x4+1x8+1x8,stem-width=4

# A number as four bytes, the highest first.
be32() {
    printf "\\x$(printf %02x $(($1 >> 24 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))"
    printf "\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 & 255)))"
}

# cut_pictures PART N: the first N pictures of train or t10k as IDX on stdout.
cut_pictures() {
    printf '\0\0\10\3'
    be32 "$2"
    be32 28
    be32 28
    gzip -dc "$FASHION/$1-images-idx3-ubyte.gz" 2>/dev/null | tail -c +17 | head -c $((784 * $2))
}

cut_labels() {
    printf '\0\0\10\1'
    be32 "$2"
    gzip -dc "$FASHION/$1-labels-idx1-ubyte.gz" 2>/dev/null | tail -c +9 | head -c "$2"
}

# make_data FOLDER TRAIN TEST: a data set of the usual four files with so many pictures.
make_data() {
    mkdir -p "$1"
    cut_pictures train "$2" >"$1/train-images-idx3-ubyte"
    cut_labels train "$2" >"$1/train-labels-idx1-ubyte"
    cut_pictures t10k "$3" >"$1/t10k-images-idx3-ubyte"
    cut_labels t10k "$3" >"$1/t10k-labels-idx1-ubyte"
}

# make_model FILE [OPTION]...: a narrow network, trained for some steps on $DATA.
make_model() {
    local file=$1
    shift
    rn-train -a "$NET" -e 1 -b 32 --lr 0.05 --labels data/fashion-mnist-labels.txt --log /dev/null \
        "$@" -o "$file" "$DATA"
}

# setup_file of most files: DATA and MODEL.
small_world() {
    export DATA=$BATS_FILE_TMPDIR/data MODEL=$BATS_FILE_TMPDIR/model.safetensors
    make_data "$DATA" "${1:-256}" "${2:-100}"
    make_model "$MODEL"
}

# An error is one line, "tool: ... text ...", with nothing on stdout.
# fails STATUS TEXT COMMAND...
fails() {
    local status_wanted=$1 text=$2
    shift 2
    run --separate-stderr "$@"
    echo "status $status, stdout: $output, stderr: $stderr"
    [ "$status" -eq "$status_wanted" ]
    [ -z "$output" ]
    one_error "$1" "$text"
}

# What `run --separate-stderr` left in stderr is one line of the tool with this text.
one_error() {
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "$1: "* ]]
    [[ $stderr == *"$2"* ]]
}

# COMMAND on a terminal of its own; what the terminal shows goes to stdout.
on_terminal() {
    script -qec "$1" /dev/null </dev/null | tr -d '\r'
    return "${PIPESTATUS[0]}"
}
