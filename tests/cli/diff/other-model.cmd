$Q diff tests/golden/zoo/qwen2 tests/golden/zoo/qwen3 --strict
