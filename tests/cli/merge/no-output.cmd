$Q merge tests/golden/zoo/llama tests/golden/lora/llama-plain
