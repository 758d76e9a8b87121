$Q quantize models/market --to bnb:nf4+double -o "$W/m" -q > /dev/null; $Q explain "$W/m" --tensor model.layers.0.mlp.up_proj --elem 9,130 --against models/market
