$Q quantize models/market --to gguf:F16 -o "$W/f.gguf" -q > /dev/null; head -c 5000000 "$W/f.gguf" > "$W/cut.gguf"; $Q quantize "$W/cut.gguf" --to gguf:Q8_0 -o "$W/out.gguf"
