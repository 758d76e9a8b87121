# files that stand beside a model are named as what they are
g() { printf 'GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0%b%s\10\0\0\0%b%s' "$2" "$3" "$4" "$5" > "$W/$1"; $Q inspect "$W/$1" | sed -n 2,3p; }
g lora.gguf '\14\0\0\0\0\0\0\0' general.type '\7\0\0\0\0\0\0\0' adapter
g mmproj.gguf '\14\0\0\0\0\0\0\0' general.type '\6\0\0\0\0\0\0\0' mmproj
g clip.gguf '\24\0\0\0\0\0\0\0' general.architecture '\4\0\0\0\0\0\0\0' clip
$Q inspect "$W/lora.gguf" --json | grep -o '"kind":"[^"]*"'
