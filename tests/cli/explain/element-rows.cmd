# GGUF llama files hold the rows of q in another order
$Q quantize tests/golden/zoo/llama --to gguf:F32 -o "$W/m.gguf" -q > /dev/null; $Q explain "$W/m.gguf" --tensor blk.0.attn_q --elem 3,5 --against tests/golden/zoo/llama
