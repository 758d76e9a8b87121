$Q release models/market --to gguf:Q4_K_M,awq --engine vllm -o "$W/out"
