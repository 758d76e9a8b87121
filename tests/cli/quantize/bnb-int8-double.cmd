$Q quantize models/market --to bnb:int8+double -o "$W/out"
