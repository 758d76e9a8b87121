# every block type names the bytes that hold the code; the value is what the codec decodes
for l in Q2_K Q3_K_S Q5_K_S Q6_K Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 F16; do $Q quantize models/market --to gguf:$l -o "$W/m.$l.gguf" -q --search compat > /dev/null; $Q explain "$W/m.$l.gguf" --tensor blk.1.ffn_up --elem 5,77; done
