$Q quantize models/market --to awq --stats models/market/config.json -o "$W/out"
