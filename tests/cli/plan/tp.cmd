$Q plan llama-3-70b --hardware h100 --tp 4 --users 32 --ctx 8192 --formats bf16,fp8
