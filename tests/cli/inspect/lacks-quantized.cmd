# a folder of codes that lacks one tensor is shown with the tensor's name (inspect, plan); what must run it refuses
bash tests/cli/ids.sh > "$W/ids.jsonl"; calib="--search compat --calib $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 -q"
lack() { # SCHEME TENSOR …
  rm -rf "$W/q"; $Q quantize tests/golden/zoo/llama --to "$1" $calib -o "$W/q" > /dev/null; shift
  for t; do
    rm -rf "$W/r"; cp -r "$W/q" "$W/r"; sed -i "s/\"$t\"/\"${t%?}X\"/" "$W/r/model.safetensors"
    for v in inspect plan; do $Q $v "$W/r" > "$W/o" 2> "$W/e"; echo "$v rc $?: $(grep '^  runs' "$W/o")$(cat "$W/e")"; done
    grep -E '^safetensors|size' "$W/o"; $Q eval "$W/r" --text models/market/eval.jsonl 2>&1 | tail -1
  done
}
p=model.layers.0.self_attn.q_proj
lack awq:w4g32 $p.qweight $p.scales model.norm.weight
lack gptq:w4g32 $p.qzeros
lack bnb:nf4 $p.weight $p.weight.absmax $p.weight.quant_state.bitsandbytes__nf4
lack bnb:int8 $p.SCB
lack fp8:block $p.weight_scale_inv lm_head.weight
lack ct:fp8_dynamic $p.weight
$Q inspect tests/golden/cases/32-awq-announced-weights-float/src
