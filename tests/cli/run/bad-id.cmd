$Q run tests/golden/zoo/qwen3 -p "1 99999"
