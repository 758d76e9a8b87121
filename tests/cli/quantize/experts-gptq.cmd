# experts through integer schemes: names of a checkpoint, the router float, equal on any number of threads; what is left out is counted
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > $W/ids.jsonl
A="--calib $W/ids.jsonl --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -q"
to() { "$Q" quantize tests/golden/zoo/$1 --to $2 --propagate $3 $A -o $W/$4 "${@:5}" 2>&1 | grep -v 'CAL-COUNT\|peak memory\|^W\|^/'; }
for m in mixtral qwen3_moe; do for p in original quantized; do
  to $m gptq:w4g32+asym $p $m-gptq-$p; to $m gptq:w4g-1 $p $m-rows-$p; to $m awq:w4g32 $p $m-awq-$p
  to $m awq:w4g32 $p $m-awq-$p-1 -t 1 > /dev/null; cmp $W/$m-awq-$p/model.safetensors $W/$m-awq-$p-1/model.safetensors && echo equal
done; done
for a in $W/mixtral-awq-original $W/qwen3_moe-gptq-quantized $W/qwen3_moe-rows-original; do m=${a##*/}; m=${m%%-*}
  "$Q" verify $a | tail -2; "$Q" inspect $a --tensors | grep -E 'gate\.weight|experts\.3|mlp.gate\b|_moe.gate' | head -5; "$Q" diff $a tests/golden/zoo/$m | sed -n 3p; done
grep -A4 modules_to_not_convert $W/mixtral-awq-original/config.json
"$Q" convert $W/qwen3_moe-awq-original --to gptq:w4g32+asym -o $W/converted -q | grep exact
to mixtral awq:w4g32 quantized out-compat --search compat
"$Q" release tests/golden/zoo/mixtral --to gguf:Q8_0,awq:w4g32 --search compat --calib $W/ids.jsonl --seq-len 64 -o $W/rel -q 2>&1 | grep error; ls $W/rel 2> /dev/null | grep -c mixtral
to mixtral gptq:w4g32 original out-split --module 'w1=bits:8'
to mixtral gptq:w4g32 original kept --module 'experts.1=keep' | head -1
