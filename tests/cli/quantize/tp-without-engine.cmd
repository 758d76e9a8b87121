$Q quantize models/market --to awq --tp 2 -o "$W/out"
