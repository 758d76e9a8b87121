$Q quantize models/market --to gguf:F32 -o "$W/m.gguf" -q > /dev/null && $Q diff models/market "$W/m.gguf" --strict
