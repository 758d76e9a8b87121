$Q check tests/golden/zoo/llama | tail -1
