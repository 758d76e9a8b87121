$Q quantize models/market --to awq -o "$W/out"
