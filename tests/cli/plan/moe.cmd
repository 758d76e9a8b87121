$Q plan mixtral-8x7b --ctx 8192 --formats awq,Q4_K_M
