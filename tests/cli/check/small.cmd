$Q check qwen3-0.6b --to awq --hardware rtx-4090 --engine vllm
