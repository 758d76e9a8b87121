$Q quantize models/market --to bnb:int8 -o "$W/m" -q > /dev/null && $Q diff models/market "$W/m"
