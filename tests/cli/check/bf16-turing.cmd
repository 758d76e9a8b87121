$Q check llama-3-8b --engine vllm --hardware t4 --reserve 0
