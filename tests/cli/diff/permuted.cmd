$Q quantize tests/golden/zoo/llama --to gguf:F32 -o "$W/m.gguf" -q > /dev/null && $Q diff "$W/m.gguf" tests/golden/zoo/llama
