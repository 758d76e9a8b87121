$Q release models/market --to awq -o "$W/out"
