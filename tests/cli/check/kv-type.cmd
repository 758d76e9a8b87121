$Q check llama-3-8b --engine vllm --kv q8_0
