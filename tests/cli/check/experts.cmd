$Q check qwen3-30b-a3b --to gptq:w4g128 --engine vllm --tp 4
