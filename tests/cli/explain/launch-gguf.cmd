$Q quantize models/market --to Q4_K_M -o "$W/m.gguf" -q > /dev/null; $Q explain launch "$W/m.gguf"
