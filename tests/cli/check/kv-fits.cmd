$Q check llama-3-70b --to awq --hardware h100-80gb --users 100 --ctx 2048 --reserve 0 --kv fp8 --engine vllm | grep -A1 memory
