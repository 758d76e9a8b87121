$Q quantize tests/golden/zoo/qwen2 --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null 2>&1
cd "$W" && printf x > m.gguf.undo && $Q inspect m.gguf
