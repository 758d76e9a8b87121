# one size of a model in a format, whoever is asked: as released, and of the format that pick names
size() { grep -oE '"weight_bytes":[0-9]+' | cut -d: -f2; }
for m in gpt-oss-20b deepseek-v3 qwen3-8b llama-3-70b qwen3.5-27b; do
  $Q pick $m --hardware h200 --tp 8 --json -q > "$W/p" 2>/dev/null; level=$(grep -oE '"level":"[^"]*"' "$W/p" | head -1 | cut -d'"' -f4)
  to=; [ "$level" = released ] || to="--to $level"
  a=$(size < "$W/p") b=$($Q check $m $to --hardware h200 --json -q 2>/dev/null | size); echo "$m $level $([ "$a" = "$b" ] && echo one size || echo "pick $a, check $b")"
done
mkdir "$W/q" && printf '{"model_type":"llama","vocab_size":32000,"hidden_size":4096,"intermediate_size":11008,"num_hidden_layers":32,"num_attention_heads":32,"max_position_embeddings":4096,"quantization_config":{"quant_method":"gptq","bits":8,"group_size":128,"sym":true,"desc_act":false}}' > "$W/q/config.json"
$Q pick "$W/q" --hardware h200 --json -q 2>/dev/null | size; $Q check "$W/q" --hardware h200 --json -q 2>/dev/null | size; true
