# R3: scales by tensor that differ inside a fused layer are requantized on load
set -o pipefail; $Q quantize models/market --to fp8:tensor -o "$W/m" -q > /dev/null 2>&1; f=$W/m/model.safetensors; n=$(od -An -tu8 -N8 "$f" | tr -d ' ')
at=$(head -c $((n + 8)) "$f" | tail -c +9 | sed -n 's/.*"model.layers.0.self_attn.k_proj.weight_scale":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/p')
$Q check "$W/m" --engine vllm --json | grep -c '"code":"PRE-FUSED-SCALE"'; printf '\0\0\200\76' | dd of="$f" bs=1 seek=$((8 + n + at)) conv=notrunc 2> /dev/null; $Q check "$W/m" --engine vllm --json | grep '"code":"PRE-FUSED-SCALE"'
