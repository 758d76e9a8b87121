$Q quantize models/market --to Q4_K_M -o "$W/m.gguf" -q --search compat > /dev/null; $Q explain "$W/m.gguf" --tensor blk.0.ffn_down --elem 17,300 --against models/market
