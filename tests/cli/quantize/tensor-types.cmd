# llama-quantize's options about types, in the dry run's list and in a file that is written, proved and repeated from its recipe
m=tests/golden/zoo/llama
$Q quantize $m --to gguf:Q8_0 -n --tensor-type 'ffn_down=q4_0' --tensor-type 'blk.0=f16' --output-tensor-type f16 --token-embedding-type q5_0 2>&1 | grep -E 'blk.0.attn_q|ffn_down|output.weight|token_embd'
echo "-- no effect"; for o in 'norm=q4_0' 'blk.1=q4_0' 'attn_q=q4_0 --tensor-type attn_q.weight=q8_0' 'token_embd=q4_0 --token-embedding-type q8_0'; do $Q quantize $m --to gguf:Q8_0 -n --tensor-type $o 2>&1 | grep 'no effect'; done
echo "-- pure"; $Q quantize models/market --to gguf:Q4_K_M -n --pure 2>&1 | grep -cE ' q4_k'
echo "-- left alone"; $Q quantize $m --to gguf:Q4_0 -n --leave-output-tensor 2>&1 | grep -E '^output.weight'
$Q quantize models/market --to gguf:Q4_0 -n --leave-output-tensor 2>&1 | grep -A1 'has no effect'
$Q quantize $m --to gguf:Q8_0 --tensor-type 'ffn_down=q4_0' --output-tensor-type f16 -o $W/out.gguf -q | grep -E 'weights|f16'
$Q quantize $m --config $W/out.gguf -o $W/again.gguf -q > /dev/null && cmp $W/out.gguf $W/again.gguf && echo same
for o in '--tensor-type nosuch=q8_0' '--tensor-type ffn_down=q8_9' '--tensor-type ffn(=q8_0' '--tensor-type ffn_down' '--output-tensor-type x'; do $Q quantize $m --to gguf:Q8_0 -n $o 2>&1; done
$Q quantize $m --to gguf:F16 -n --tensor-type a=q8_0 2>&1
$Q quantize $m --to awq:w4g32 -n --pure 2>&1
$Q quantize $m --to awq:w4g32 -n --no-clip 2>&1; true
