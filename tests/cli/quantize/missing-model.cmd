$Q quantize "$W/none" --to gguf:Q8_0 -o "$W/out.gguf"
