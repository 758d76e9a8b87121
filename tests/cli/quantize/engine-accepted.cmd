$Q quantize models/market --to awq:w4g64 --engine vllm --tp 4 --cc 8.6 --dry-run | tail -1
