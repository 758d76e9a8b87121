# NaN, infinities, negative values, another width, an entry twice: refused by name (the matrix of case 05 with one value changed)
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null; cp tests/golden/cases/05-written-file-holds-NaN/huge.dat "$W/i.dat"; cd "$W" || exit 9
t() { cp i.dat c.dat; printf "$1" | dd of=c.dat bs=1 seek=107 conv=notrunc status=none; "$Q" quantize m --to gguf:Q4_K_M --imatrix c.dat -o out.gguf -q 2>&1; echo "rc $?"; }
t '\0\0\300\177'; t '\0\0\200\177'; t '\0\0\200\377'; t '\0\0\200\277'
cp i.dat c.dat; printf '\0\0\0\0' | dd of=c.dat bs=1 seek=0 conv=notrunc status=none; "$Q" quantize m --to gguf:Q4_K_M --imatrix c.dat -o out.gguf -q 2>&1; echo "rc $?"
ls
