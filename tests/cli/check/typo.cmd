$Q check llama-3-8b --enjine vllm
