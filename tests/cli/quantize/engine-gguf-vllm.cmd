$Q quantize models/market --to gguf:Q4_K_M --engine vllm -o "$W/out.gguf"
