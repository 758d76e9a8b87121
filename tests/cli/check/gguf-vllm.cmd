$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null 2>&1; $Q check "$W/m.gguf" --engine vllm
