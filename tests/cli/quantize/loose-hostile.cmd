# Strange checkpoints of unknown families: odd widths, other types, no dimension, no values, experts that do not fit, NaN, codes without
# settings, nothing to code; what needs a family or data is refused with the way out.
data=$W/data ; mkdir "$W/m"
begin() { : > "$data"; head= ; at=0; echo "{\"model_type\":\"${1:-zzz}\"${2:-}}" > "$W/m/config.json"; }
add() { # NAME TYPE SHAPE BYTES [FILL]
  head="$head${head:+,}\"$1\":{\"dtype\":\"$2\",\"shape\":[$3],\"data_offsets\":[$at,$((at + $4))]}"; at=$((at + $4))
  if [ -n "${5:-}" ]; then head -c "$4" < <(yes "$5" | tr -d '\n') >> "$data"; else head -c "$4" /dev/zero >> "$data"; fi
}
end() { head="{$head}"; while [ $((${#head} % 8)) -ne 0 ]; do head="$head "; done
  printf "\\x$(printf %02x $((${#head} % 256)))\\x$(printf %02x $((${#head} / 256)))\\0\\0\\0\\0\\0\\0%s" "$head" > "$W/m/model.safetensors"; cat "$data" >> "$W/m/model.safetensors"; }
export COLUMNS=2000
try() { "$Q" quantize "$W/m" -q -f -o "$W/o" --to "${1:-ct:nvfp4a16}" "${@:2}" 2>&1 | grep 'error\|warning\|weights:' | sed "s#$W/##g"; }
base() { add l.0.q_proj.weight F32 4,32 512 '12=3'; add model.embed_tokens.weight F32 8,32 1024 '21=3'; }
begin; base; add l.0.down_proj.weight F32 4,31 496 '12=3'; add ids I64 1,8 64; add on BOOL 3 3; add one F32 '' 4 'AA=3'; add none.weight F32 0,32 0; add five.weight F32 1,1,1,1,2 8 'AA=3'; add .weight F32 2,2 16 'AA=3'; end; try; try ct:nvfp4a16 --accept MOD-FLOAT
begin; base; add l.0.mlp.experts.gate_up_proj F32 2,4,32 1024 '12=3'; add l.0.mlp.experts.down_proj F32 2,31,2 496 '12=3'; end; try ct:nvfp4a16 --accept MOD-FLOAT
begin; base; add l.0.mlp.experts.gate_up_proj F32 2,4,32 1024 '12=3'; add l.0.mlp.experts.down_proj F32 2,32,2 512 '12=3'; end; try ct:nvfp4a16 --accept MOD-FLOAT
begin; base; add l.0.up_proj.weight F32 4,32 512 "$(printf '\300\177')"; end; try
begin; base; printf '\0\0\300\177' >> "$data"; at=$((at + 4)); head -c 508 /dev/zero >> "$data"; at=$((at + 508)); head="$head,\"l.0.v_proj.weight\":{\"dtype\":\"F32\",\"shape\":[4,32],\"data_offsets\":[$((at - 512)),$at]}"; end; try
begin; base; add l.0.k_proj.weight F8_E4M3 4,32 128; end; try
begin zzz ',"quantization_config":{"quant_method":"fp8"}'; base; end; try
begin; add model.embed_tokens.weight F32 8,32 1024 '21=3'; end; try
begin gpt2; base; end; try
begin; base; end; for to in gguf:Q4_K_M awq ct:nvfp4 ct:int8+kv; do try $to; done
"$Q" quantize "$W/m" --to ct:int8 --calib models/market/eval.jsonl -o "$W/o" -q 2>&1 | sed "s#$W/##"
try ct:int8 --engine vllm
"$Q" quantize "$W/m" --to ct:int8 --module nothing=keep -o "$W/o2" -q 2>&1
"$Q" quantize "$W/m" --to ct:int8 --module q_proj=keep -o "$W/o2" -q 2>&1
true
