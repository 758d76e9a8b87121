$Q quantize models/market --to bnb:nf4 -o "$W/m-nf4" -q > /dev/null; $Q explain launch "$W/m-nf4"
