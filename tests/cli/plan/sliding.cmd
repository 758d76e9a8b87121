$Q plan gemma-3-27b --ctx 131072 --formats bf16,Q4_K_M
