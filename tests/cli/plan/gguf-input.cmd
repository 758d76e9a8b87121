$Q quantize models/market --to Q5_K_M -o "$W/m.gguf" -q > /dev/null; $Q plan "$W/m.gguf" --formats Q4_K_M --ctx 512 --memory 16MB
