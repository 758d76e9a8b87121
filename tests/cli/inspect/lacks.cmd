# well-formed, of a known family, and not to be opened: shown with the reason (inspect, plan), a finding (verify, check)
each() { for v in inspect plan verify check; do $Q $v "$1" > "$W/o" 2> "$W/e"; echo "== $v $2: rc $?"; grep -E '^  runs  |structure|^tokenizer|CHK-OPEN|CHK-TOKENIZER|size  |weights  |^1 |decode' "$W/o"; grep -v note: "$W/e"; done; }
$Q quantize tests/golden/zoo/qwen3 --to gguf:F32 -o "$W/q.gguf" -q > /dev/null; sed 's/blk.0.attn_q_norm/blk.0.attn_q_nerm/' "$W/q.gguf" > "$W/a.gguf"; each "$W/a.gguf" "GGUF without q_norm"
$Q quantize tests/golden/cases/07-llama-attention-bias-to-gguf/src --to gguf:F32 -o "$W/p.gguf" -q > /dev/null; sed "s/attn_[kv].bias/attn_x.bjas/" "$W/p.gguf" > "$W/b.gguf"; each "$W/b.gguf" "GGUF with a q bias alone"
for e in 's/lm_head.weight/xm_head.weight/' 's/\("lm_head.weight":{"dtype":"BF16","shape":\)\[300,32\]/\1[32,300]/'; do
  rm -rf "$W/m"; mkdir "$W/m"; cp tests/golden/cases/text-model/config.json "$W/m"; sed "$e" tests/golden/cases/text-model/model.safetensors > "$W/m/model.safetensors"; each "$W/m" "head: $e"; done
rm -rf "$W/m"; cp -r tests/golden/cases/text-model "$W/m"; cp models/market/tokenizer.json "$W/m"; each "$W/m" "more tokens than rows"
