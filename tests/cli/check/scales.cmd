# a wrong exponent is seen without manifest and source from 16 times on, a factor of two and a flipped sign against the source; clean files say nothing
. tests/cli/check/damage.sh; m=models/market
for t in Q8_0:attn_v.weight:34:0 Q4_0:ffn_up.weight:18:0 Q4_K_M:ffn_gate.weight:144:0; do
  IFS=: read -r level tensor bytes at <<< "$t"; tensor=blk.3.$tensor
  $Q quantize $m --to gguf:$level --search compat -o "$W/c.gguf" -q > /dev/null 2>&1; rm "$W"/c.gguf.manifest.json
  echo "$level"; say "$W/c.gguf"; say "$W/c.gguf" --against $m
  for what in 4 1 sign; do cp "$W/c.gguf" "$W/d.gguf"; damage "$W/d.gguf" $tensor $bytes $at 100 $what; echo "$level $what"; say "$W/d.gguf"; say "$W/d.gguf" --against $m; done
  rm "$W"/*.gguf
done
