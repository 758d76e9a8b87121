# cases 03 and 05 for types of a table or code book: importance of zero never wipes weights, huge importance never makes NaN
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null
for l in IQ4_XS IQ3_S; do
  for s in compat best; do
    $Q quantize "$W/m" --to gguf:$l --pure --search $s --imatrix tests/golden/cases/03-imatrix-all-zero/zero.dat -o "$W/a.gguf" -f -q 2>&1 | grep zero
    $Q diff "$W/m" "$W/a.gguf" --tensors | grep v_proj
    $Q quantize "$W/m" --to gguf:$l --pure --search $s --imatrix tests/golden/cases/05-written-file-holds-NaN/huge.dat -o "$W/b.gguf" -f -q > /dev/null 2>&1
    $Q verify "$W/b.gguf" | tail -1
  done
done
