echo old > "$W/m.gguf"; $Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf"; code=$?; cat "$W/m.gguf"; exit $code
