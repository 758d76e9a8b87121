$Q quantize tests/golden/zoo/qwen2 --to bnb:fp4 --dry-run | tail -4
