$Q plan qwen3-next-80b-a3b --ctx 262144 --formats bf16,awq
