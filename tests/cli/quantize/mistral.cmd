$Q quantize tests/golden/zoo/mistral --to gguf:Q8_0 -o "$W/out.gguf"
