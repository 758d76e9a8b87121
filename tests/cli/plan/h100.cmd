$Q plan llama-3-70b --ctx 2048 --users 128 --kv fp8 --hardware h100 --reserve 0
