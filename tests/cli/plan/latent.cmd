$Q plan deepseek-v3 --ctx 32768 --kv bf16 --formats fp8:block,ct:w4a16,Q4_K_M
