$Q plan llama-2-7b --speed --hardware rtx-4090 --formats bf16,fp8,awq,Q4_K_M --overhead-ms 3
