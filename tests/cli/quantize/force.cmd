echo old > "$W/m.gguf"; $Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" --force -q > /dev/null && $Q verify "$W/m.gguf" -q | tail -1
