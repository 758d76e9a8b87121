# rows that K blocks do not divide fall back, counted
$Q quantize tests/golden/zoo/qwen2 --to gguf:Q4_K_M -o "$W/out.gguf"
