# bash can read it, and knows verbs and options
$Q --completion > "$W/c" && bash -n "$W/c" && . "$W/c"
COMP_WORDS=(quantz q); COMP_CWORD=1; _quantz; echo "${COMPREPLY[@]}"
COMP_WORDS=(quantz quantize --se); COMP_CWORD=2; _quantz; echo "${COMPREPLY[@]}"
