$Q check llama-3-70b --to awq --engine vllm --tp 4 --json
