# The sample in data/ and what `make demo` shows, on a short run.
load helpers

setup() {
    SAMPLE=$PWD/data/fashion-mnist-sample
}

@test "the sample is what data/README.md says, balanced, with its licence, in 4 MB" {
    [ "$(du -sb "$SAMPLE" | cut -f 1)" -le 4000000 ]
    (cd "$SAMPLE" && sha256sum ./*.gz | sed 's|^\([^ ]*\) .*/\(.*\)|\| \2 \| \1 \||') |
        while read -r row; do grep -qxF "$row" data/README.md; done
    for part in 'train 600' 't10k 100'; do
        [ "$(gzip -dc "$SAMPLE/${part% *}-labels-idx1-ubyte.gz" | tail -c +9 | od -A n -v -t u1 -w1 |
            sort | uniq -c | awk '{ print $1 }' | sort -u)" = "${part#* }" ]
    done
    grep -q 'Zalando' "$SAMPLE/LICENSE"
    [ "$(find "$SAMPLE/pictures" -name '*.png' | wc -l)" -eq 10 ]
    [ "$(find "$SAMPLE/pictures" -name '*.jpg' | wc -l)" -eq 10 ]
}

@test "the demo trains, draws and classifies, and leaves the tree as it was" {
    command -v gnuplot >/dev/null || skip "no gnuplot"
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir "$tree"
    cp -r data scripts "$tree"
    # a step of a narrow network, the same script otherwise
    sed -i 's/-a cifar-resnet20 -b 64 -e 12/-a '"$NET"' -b 64 -e 12 --steps 2/' "$tree/scripts/demo"
    (cd "$tree" && find . -type f -exec sha256sum {} +) | sort >"$BATS_TEST_TMPDIR/before"
    ln -s "$RN_BUILD" "$tree/build"
    run --separate-stderr "$tree/scripts/demo" build
    echo "$output" "$stderr"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "$(grep -cE '^data/fashion-mnist-sample/.*	(Trouser|T-shirt/top|[A-Z][A-Za-z ]*)	[01]\.?[0-9e-]*$' <<<"$output")" -eq 20 ]
    [ -s "$tree/out/model.safetensors" ] && [ -s "$tree/out/curves.png" ] && [ -s "$tree/out/log.tsv" ]
    (cd "$tree" && find . -type f ! -path './out/*' -exec sha256sum {} +) | sort | diff "$BATS_TEST_TMPDIR/before" -
}
