$Q quantize models/market --to gptq -o "$W/out"
