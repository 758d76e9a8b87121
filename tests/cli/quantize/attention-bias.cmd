# llama with attention_bias: q and k biases take GGUF's row order with their weights (mlc-llm#3494)
for s in gguf:F16 gguf:Q8_0 bnb; do $Q quantize tests/golden/cases/07-llama-attention-bias-to-gguf/src --to $s -o "$W/out.$s" -q > /dev/null && echo "$s: $?"; done
$Q diff tests/golden/cases/07-llama-attention-bias-to-gguf/src "$W/out.gguf:F16"
