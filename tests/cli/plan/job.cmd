$Q plan llama-3-8b --job --disk 100GB --formats Q4_K_M,awq --json
