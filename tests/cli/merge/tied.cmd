# an output matrix that is tied and adapted becomes a tensor of its own
$Q merge tests/golden/zoo/qwen3 tests/golden/lora/qwen3-head -o "$W/out" && grep tie_word "$W/out/config.json" && $Q inspect "$W/out" | head -3
