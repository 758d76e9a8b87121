$Q doctor tests/golden/zoo/qwen2 tests/golden/zoo/qwen3 2>&1 | grep -E 'WRONG|error' | head -12
