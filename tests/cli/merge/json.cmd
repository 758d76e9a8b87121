$Q merge tests/golden/zoo/llama tests/golden/lora/llama-whole -o "$W/out" --json
