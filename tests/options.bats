# The option tables: help, version, wrong names and values, one meaning for one name.
load helpers

# Rows of a tool's --help: letter or -, long name, metavar or -.
rows() {
    "$1" --help | awk '/^ +(-., )?--/ {
        letter = $1 ~ /^-.,$/ ? substr($1, 2, 1) : "-"
        at = letter == "-" ? 1 : 2
        name = substr($at, 3)
        text = substr($0, 31)
        left = substr($0, 1, 30)
        n = split(left, word)
        print letter, name, (n > at ? word[at + 1] : "-")
    }'
}

@test "--help is on stdout, fits in 110 columns and ends with 0" {
    for tool in "${TOOLS[@]}"; do
        for option in -h --help; do
            run --separate-stderr "$tool" "$option"
            [ "$status" -eq 0 ]
            [ -z "$stderr" ]
            [[ ${lines[0]} == "usage: $tool "* ]]
            [ -z "$(printf '%s\n' "$output" | awk 'length > 110')" ]
        done
    done
}

@test "--help shows the defaults, whatever stands beside it" {
    diff <(rn-train --help) <(rn-train -e 7 --lr nonsense --help)
    rn-train --help | grep -q -- '--epochs N .*([0-9]*)'
}

@test "--version names tool and version, with -q the version alone" {
    for tool in "${TOOLS[@]}"; do
        version=$("$tool" -qV)
        [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
        [ "$("$tool" --version)" = "$tool $version" ]
        [ "$("$tool" -V --quiet)" = "$version" ]
    done
}

@test "a name has one letter and one kind of value in all tools" {
    for tool in "${TOOLS[@]}"; do rows "$tool"; done | sed 's/ LIST$/ N/' >"$BATS_TEST_TMPDIR/rows"
    run awk '
        { word = $1 " " $3; if ($2 in seen && seen[$2] != word) print $2 ": " seen[$2] " and " word; seen[$2] = word }
        $1 != "-" { if ($1 in name && name[$1] != $2) print "-" $1 ": " name[$1] " and " $2; name[$1] = $2 }
    ' "$BATS_TEST_TMPDIR/rows"
    echo "$output"
    [ -z "$output" ]
}

@test "every tool has -h -V -q -v" {
    for tool in "${TOOLS[@]}"; do
        for option in 'h help' 'V version' 'q quiet' 'v verbose'; do
            rows "$tool" | grep -qx "$option -"
        done
    done
}

@test "an unknown option names the nearest" {
    fails 2 '--epoch: unknown option; nearest is --epochs' rn-train --epoch 3
    fails 2 '--epoch: unknown option; nearest is --epochs' rn-train --epoch=3
    fails 2 '--treads: unknown option; nearest is --threads' rn-infer --treads 3
    fails 2 '-Z: unknown option' rn-train --force -Z
    fails 2 '-Z: unknown option' rn-train --force -qZv
}

@test "prefixes of options are unknown" {
    for prefix in --epo=3 --he --vers --resum; do
        fails 2 "${prefix%=3}: unknown option" rn-train "$prefix"
    done
    fails 2 '--mile: unknown option; nearest is --' rn-train --mile=3
}

@test "a value is missing, or not wanted" {
    fails 2 '-e: a value is missing' rn-train -e
    fails 2 '--epochs: a value is missing' rn-train --epochs
    fails 2 '--resume: takes no value' rn-train --resume=yes
}

@test "a wrong value says what the option takes" {
    fails 2 '--epochs: 0: takes a whole number from 1 to' rn-train -e 0
    fails 2 '--epochs: 1.5: takes a whole number' rn-train --epochs=1.5
    fails 2 '--epochs: 3x: takes a whole number' rn-train -e 3x
    fails 2 '--epochs: (empty): takes a whole number' rn-train -e ''
    fails 2 '--epochs:  3: takes a whole number' rn-train -e ' 3'
    fails 2 '--epochs: 99999999999999999999: takes' rn-train -e 99999999999999999999
    fails 2 '--epochs: 9999999: takes' rn-train -e 9999999
    fails 2 '--momentum: 1.01: takes a number from 0 to 1' rn-train --momentum 1.01
    fails 2 '--lr: nan: takes a number from 0' rn-train --lr nan
    fails 2 '--lr: -1: takes a number from 0' rn-train --lr -1
    fails 2 '--sched: cosin: takes const, step, cosine or linear' rn-train --sched cosin
    fails 2 '--size: 0x3: takes N or HxW' rn-train --size 0x3
    fails 2 '--size: 3x: takes N or HxW' rn-train --size 3x
    fails 2 '--seed: -1: takes a whole number' rn-train --seed -1
    fails 2 '--milestones: 3,,4: takes a comma list of whole numbers' rn-train --milestones 3,,4
    fails 2 '--mean: 1,x: takes a comma list of numbers' rn-train --mean 1,x
    fails 2 '--mean: ' rn-train --mean 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1
    fails 2 '--augment: spin: takes flip, crop=N' rn-train -a "$NET" -o x --augment flip,spin data
    fails 2 '--augment: crop=0: takes flip, crop=N' rn-train -a "$NET" -o x --augment crop=0 data
}

@test "an instruction set that is not here is refused, by option and by RN_ISA" {
    fails 2 pdp11 rn-summary --isa pdp11 "$NET"
    RN_ISA=pdp11 fails 2 pdp11 rn-summary "$NET"
}

@test "options may stand behind operands, and -- ends them" {
    diff <(rn-summary --depth total "$NET") <(rn-summary "$NET" --depth total)
    fails 2 '--depth: no network' rn-summary -- --depth
}
