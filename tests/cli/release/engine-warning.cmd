$Q release models/market --to awq,gguf:Q4_K_M --engine mlx --tp 2 -o "$W/out" --dry-run
