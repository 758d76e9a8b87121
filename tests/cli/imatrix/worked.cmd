# the file of formats/imatrix.md section 3: merged it is {512, 1536} of 1024 tokens (llama-imatrix), back again the same 45 bytes; mean squares 0.5 and 1.5
cd "$W" && printf '\1\0\0\0\10\0\0\0a.weight\2\0\0\0\2\0\0\0\0\0\200\77\0\0\100\100\2\0\0\0\5\0\0\0t.txt' > e.dat && wc -c < e.dat
$Q imatrix merge e.dat -o e.gguf && $Q imatrix merge e.gguf -o e2.dat --json && cmp e.dat e2.dat
tail -c 64 e.gguf | od -A n -t f4 | head -3
$Q imatrix stats e.gguf --json
