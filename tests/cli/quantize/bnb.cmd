$Q quantize models/market --to bnb:nf4+double -o "$W/out" && $Q verify "$W/out" | tail -2 && $Q run "$W/out" -p "Hello" -n 4 --temperature 0 -q > /dev/null
