# case 05: importance near the end of float32 never makes NaN; NaN, infinity and negative values are refused by name
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null
$Q quantize "$W/m" --to gguf:Q4_K_M --imatrix tests/golden/cases/05-written-file-holds-NaN/huge.dat -o "$W/a.gguf" | sed -n 3p
$Q verify "$W/a.gguf" | tail -1
for bytes in '\0\0\300\177' '\0\0\200\177' '\0\0\200\277'; do
  cp tests/golden/cases/05-written-file-holds-NaN/huge.dat "$W/c.dat"; printf "$bytes" | dd of="$W/c.dat" bs=1 seek=99 conv=notrunc status=none
  $Q quantize "$W/m" --to gguf:Q4_K_M --imatrix "$W/c.dat" -o "$W/out.gguf" 2>&1; echo "rc $?"
done
