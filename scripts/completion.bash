# Bash completion of the rn tools. Options and the words of their values are read from the tool's own
# --help, so that there is no second table; everything else is a file name.

# The rows of --help on stdin: names of the options.
_rn_options() {
    awk '/^ +(-., )?--/ { if ($1 ~ /^-.,$/) { print substr($1, 1, 2); print $2 } else print $1 }'
}

# _rn_words OPTION: the words that --help lists after a colon for an option that takes a NAME.
_rn_words() {
    awk -v option="$1" '/^ +(-., )?--/ {
        at = $1 ~ /^-.,$/ ? 2 : 1
        if (($at == option || $1 == option ",") && $(at + 1) == "NAME" && sub(/^[^:]*: /, "")) {
            sub(/ \(.*/, "")
            gsub(/,|\.\.\./, "")
            print
        }
    }'
}

_rn_tools() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words help
    help=$("${COMP_WORDS[0]}" --help 2>/dev/null) || return
    words=$(_rn_words "$before" <<<"$help")
    if [[ -z $words && $word == -* ]]; then
        words=$(_rn_options <<<"$help")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [[ -z $words ]]; then
        compopt -o filenames 2>/dev/null || : # outside a completion
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _rn_tools rn-train rn-infer rn-summary rn-convert rn-bench
