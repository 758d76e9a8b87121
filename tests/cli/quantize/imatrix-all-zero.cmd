# case 03: a tensor without importance gets weights of 1, by name, and keeps its values; the same where only some columns have none
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null
$Q quantize "$W/m" --to gguf:Q4_K_M --imatrix tests/golden/cases/03-imatrix-all-zero/zero.dat -o "$W/a.gguf" --json; echo "rc $?"
$Q diff "$W/m" "$W/a.gguf" --tensors | grep v_proj
cp tests/golden/cases/05-written-file-holds-NaN/huge.dat "$W/c.dat"; head -c 128 /dev/zero | dd of="$W/c.dat" bs=1 seek=99 conv=notrunc status=none # 32 columns
$Q quantize "$W/m" --to gguf:Q6_K --imatrix "$W/c.dat" -o "$W/c.gguf" | head -3
