$Q check llama-3-8b --engine vllm --cc 86
