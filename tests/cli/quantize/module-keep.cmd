# modules that stay float in every folder that has a list of such: named in full, said, read back; the reference's search has none
bash tests/cli/ids.sh > "$W/ids.jsonl"; A="--calib $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 -q"
for t in awq:w4g32 bnb:nf4 ct:fp8_dynamic fp8:block; do
  $Q quantize tests/golden/zoo/llama --to $t $A -o "$W/$t" --module 'layers.0.mlp=keep' --module '{q,k,v}_proj=keep' 2>&1 | grep -E 'modules? by|--module'
  tr -d ' \n' < "$W/$t/config.json" | grep -oE '"(modules_to_not_convert|llm_int8_skip_modules|ignore)":[^]]*]'
  $Q verify "$W/$t" | tail -1 && $Q inspect "$W/$t" --tensors | grep -E 'layers.0.*(q_proj|o_proj|up_proj)' && $Q run "$W/$t" --max-new 4 -q -p '1 2 3' | wc -l
done
$Q quantize tests/golden/zoo/llama --to awq:w4g32 $A --search compat --module 'layers.0.mlp=keep' -o "$W/out"
