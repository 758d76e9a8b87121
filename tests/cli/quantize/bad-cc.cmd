$Q quantize models/market --to gptq:w3g128+asym --engine vllm --cc sm80 --dry-run
