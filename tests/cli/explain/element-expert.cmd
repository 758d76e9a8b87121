# a stack of experts is one tensor: which of them is shown is said, and each can be asked for
$Q quantize tests/golden/zoo/mixtral --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null 2>&1
$Q explain "$W/m.gguf" --tensor blk.0.ffn_gate_exps --elem 3,7
$Q explain "$W/m.gguf" --tensor model.layers.0.block_sparse_moe.experts.2.w1 --elem 3,7
