$Q quantize models/market --to qwq -o "$W/out"
