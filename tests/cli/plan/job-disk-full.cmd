$Q plan llama-3-70b --job --disk 20GB --formats Q4_K_M
