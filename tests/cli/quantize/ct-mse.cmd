# the library's range search, and where it is refused
for t in ct:w4a16+g32 ct:nvfp4a16; do
  $Q quantize tests/golden/zoo/llama --to $t --search compat -o "$W/plain" -q > /dev/null || exit
  $Q quantize tests/golden/zoo/llama --to $t --search compat --mse 2.4 -o "$W/mse" -q > /dev/null || exit
  cmp -s "$W/plain/model.safetensors" "$W/mse/model.safetensors" && echo "$t: the search changed nothing"
  grep -o '"mse": *[0-9.]*' "$W/mse/"*manifest.json
  rm -r "$W/plain" "$W/mse"
done
$Q quantize tests/golden/zoo/llama --to ct:fp8_block --search compat --mse 2.4 -o "$W/out" -q
$Q quantize tests/golden/zoo/llama --to ct:int8 --mse 2.4 -o "$W/out" -q 2>&1 | sed "s/^quantz: error/refused/"
exit 2
