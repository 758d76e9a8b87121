$Q run tests/golden/zoo/qwen3 -p "hello"
