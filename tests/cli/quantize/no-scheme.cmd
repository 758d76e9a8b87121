$Q quantize models/market -o "$W/out.gguf"
