# settings of compressed-tensors that no library has, and a group of no module
"$Q" quantize tests/golden/zoo/llama --to ct:fp8_dynamic --search compat -o "$W/m" -q > "$W/log" 2>&1
rm "$W/m/quantz-manifest.json"; tr -d '\n ' < "$W/m/config.json" > "$W/c"
for e in 's/"format":"float-quantized","q/"format":"banana","q/' 's/"symmetric":true/&,"actorder":"banana"/' 's/"symmetric":true/&,"zp_dtype":"torch.banana"/' \
         's/"ignore":\["lm_head"\]/"ignore":"lm_head"/' 's/"group_0":{/"none":{"targets":["re:.*banana"],"weights":{"num_bits":8,"type":"float","strategy":"channel"}},&/' \
         's/"symmetric":true/&,"actorder":"static"/'; do
  sed "$e" "$W/c" > "$W/m/config.json"; cmp -s "$W/c" "$W/m/config.json" && echo "unchanged: $e"
  "$Q" verify "$W/m" -q 2> "$W/log" | grep -E 'FAILED|^decode'; tail -1 "$W/log" | grep error | sed "s#$W#W#"
done
