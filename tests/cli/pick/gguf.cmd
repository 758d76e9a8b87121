$Q quantize models/market --to gguf:Q4_K_M -o "$W/m.gguf" -q > /dev/null; $Q pick "$W/m.gguf" --hardware laptop-16gb | grep deploy
