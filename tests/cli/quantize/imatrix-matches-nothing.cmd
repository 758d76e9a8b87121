# case 04: refused at 0 tensors; otherwise how many are covered and which are not, and the hash of the matrix in the file
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null
$Q quantize "$W/m" --to gguf:Q4_K_M --imatrix tests/golden/cases/04-imatrix-matches-nothing/lacks-ffn.dat -o "$W/a.gguf" | sed -n 3p
$Q inspect "$W/a.gguf" | grep calibration_sha256; sha256sum < tests/golden/cases/04-imatrix-matches-nothing/lacks-ffn.dat
$Q quantize "$W/m" --to gguf:Q8_0 --imatrix tests/golden/cases/04-imatrix-matches-nothing/lacks-ffn.dat -o "$W/b.gguf" > /dev/null
$Q quantize models/market --to gguf:Q4_K_M --imatrix tests/golden/cases/04-imatrix-matches-nothing/lacks-ffn.dat -o "$W/c.gguf" -q 2>&1; echo "rc $?" # other widths
$Q quantize "$W/m" --to gguf:Q4_K_M --imatrix tests/golden/cases/04-imatrix-matches-nothing/other-names.dat -o "$W/out.gguf"
