# q, k, v and mlp biases that config.json does not announce (LlamaFactory#3721)
$Q quantize tests/golden/cases/09-stored-biases-unused/src --to gguf:Q8_0 -o "$W/out.gguf"
