# a model without tokenizer: ids in, ids out
$Q run tests/golden/zoo/qwen3 --arith exact -p "1 5 9 33" -n 6
