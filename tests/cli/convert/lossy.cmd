$Q quantize models/market --to bnb:nf4 -o "$W/n" -q > /dev/null && $Q convert "$W/n" --to gptq:w4g64+asym --lossy -o "$W/out"
