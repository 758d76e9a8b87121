$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null && head -c 2000000 "$W/m.gguf" > "$W/cut.gguf"; $Q inspect "$W/cut.gguf"
