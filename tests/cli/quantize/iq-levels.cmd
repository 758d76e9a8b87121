# code book, ternary and FP4 levels: what needs importance is refused without it before any work; with it files are written and whole
im=tests/golden/artifacts/market.imatrix.gguf
$Q quantize models/market --to gguf:IQ2_XS -o "$W/out.gguf" -q 2>&1; echo "rc $?"
$Q quantize models/market --to gguf:IQ4_XS --tensor-type ffn_up=iq1_m -o "$W/out.gguf" -q 2>&1; echo "rc $?"
for l in IQ4_XS IQ1_S NVFP4; do
  $Q quantize models/market --to gguf:$l --imatrix $im --search compat -o "$W/$l.gguf" -q 2> /dev/null | sed -n 2,4p
  $Q verify "$W/$l.gguf" | tail -1; $Q inspect "$W/$l.gguf" | head -1
done
$Q quantize models/market --to gguf:Q8_0 --tensor-type 'blk.0.attn_q=iq3_s' --tensor-type 'blk.0.attn_k=tq2_0' --tensor-type 'blk.0.attn_v=q1_0' \
  --tensor-type 'blk.1.attn_q=mxfp4' --tensor-type 'blk.1.attn_k=iq4_nl' -o "$W/mixed.gguf" -q > /dev/null && $Q inspect "$W/mixed.gguf" | head -2
$Q quantize tests/golden/zoo/mixtral --to gguf:MXFP4_MOE -o "$W/moe.gguf" -q > /dev/null 2>&1 && $Q inspect "$W/moe.gguf" | head -2
