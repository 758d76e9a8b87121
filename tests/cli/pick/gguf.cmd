$Q quantize models/market --to gguf:Q4_K_M -o "$W/m.gguf" -q > /dev/null 2>&1; $Q pick "$W/m.gguf" --hardware laptop-16gb 2> /dev/null | grep deploy
