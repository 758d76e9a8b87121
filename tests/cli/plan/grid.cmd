$Q plan llama-3-8b --ctx 4k,32k,128k --users 1,8,32 --formats awq,Q4_K_M --hardware rtx-4090
