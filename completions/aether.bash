# Names of states have `@` and `:` in them, where bash breaks words: what stands together is put together again.
_aether() {
    local IFS=$'\013' rest=$COMP_LINE trimmed word cur prefix='' breaks=${COMP_WORDBREAKS//[^@:=]/}
    local -a words=()
    local -i i last=-1
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        # The word that the cursor is in ends there, but for one of separators alone, for which bash says nothing.
        if ((i == COMP_CWORD)) && [[ $word == *[!@:=]* ]]; then
            word=$2
        fi
        if ((last >= 0)) && [[ -n $word && $trimmed == "$rest" ]]; then
            words[last]+=$word
        else
            words+=("$word")
            last+=1
        fi
        rest=${trimmed#"${COMP_WORDS[i]}"}
    done
    cur=${words[last]}
    if [[ -n $breaks ]]; then
        prefix=${cur%"${cur##*[$breaks]}"}
    fi
    if [[ $cur == *@* ]]; then
        # No names of hosts.
        compopt +o bashdefault 2> /dev/null
    fi
    COMPREPLY=($(
        COMPLETE=bash _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$last" _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
            _CLAP_COMPLETE_SPACE=false aether -- "${words[@]}"
    )) || COMPREPLY=()
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} != *[=/:@] ]]; then
        compopt +o nospace 2> /dev/null
    fi
}
if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then
    complete -o nospace -o bashdefault -o nosort -F _aether aether
else
    complete -o nospace -o bashdefault -F _aether aether
fi
