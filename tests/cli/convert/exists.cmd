echo old > "$W/m.gguf"; $Q convert models/market --to gguf:F32 -o "$W/m.gguf"; code=$?; cat "$W/m.gguf"; exit $code
