$Q plan llama-2-13b --ctx 64k --kv fp8 --memory 24GB --formats Q4_K_M
