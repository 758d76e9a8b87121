# K-01: 128 sequences of 2048 tokens on one H100
$Q check llama-3-70b --to awq --hardware h100-80gb --users 128 --ctx 2048 --reserve 0 --engine vllm
