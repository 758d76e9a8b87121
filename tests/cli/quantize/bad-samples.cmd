$Q quantize models/market --to awq --samples 0 -o "$W/out"
