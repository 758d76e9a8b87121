$Q quantize models/market --to awq --samples many -o "$W/out"
