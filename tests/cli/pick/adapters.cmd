# K-30
$Q pick llama-2-7b --hardware a100-80gb --engine vllm --loras 20
