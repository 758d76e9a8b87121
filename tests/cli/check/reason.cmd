$Q check llama-3-8b --to awq --workload math --engine vllm
