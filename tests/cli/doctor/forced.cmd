# what GGUF has no key for is no fault of the file; another name of one architecture is none either
for m in mistral phimoe deepseek_v3; do
  $Q quantize tests/golden/zoo/$m --to gguf:Q8_0 --accept MOD-FLOAT -o $W/$m.gguf -q > /dev/null 2>&1
  $Q doctor tests/golden/zoo/$m $W/$m.gguf | grep -E 'WRONG|no fault|latent'; echo "$m ${PIPESTATUS[0]}"
done
