# a key that decides shapes or the number of layers must be there; the family's default of another key is used, and counted
edit() { # MODEL KEY …: without the keys (the last one of a file has no comma: renamed)
  rm -rf "$W/m"; cp -r "tests/golden/zoo/$1" "$W/m"; shift
  for k; do sed -i -E "/^ *\"$k\": .*,\$/d; s/\"$k\":/\"x_$k\":/" "$W/m/config.json"; done
}
for k in vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size; do
  edit llama $k; for v in inspect "quantize --to gguf:Q8_0 -o $W/out.gguf"; do $Q $v "$W/m" 2>&1 | grep -E "runs|error" | sed 's#: expected the number.*##'; done; done
edit mixtral num_local_experts; $Q inspect "$W/m" 2>&1 | grep -E 'runs|error'
edit qwen3_moe moe_intermediate_size; $Q inspect "$W/m" 2>&1 | grep -E 'runs|error'
edit llama rms_norm_eps rope_theta max_position_embeddings; $Q inspect "$W/m" | grep defaults; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/o.gguf" 2>&1 > /dev/null | grep absent
$Q check "$W/m" 2> /dev/null | grep -A2 MOD-ABSENT
edit mistral sliding_window num_key_value_heads; $Q inspect "$W/m" 2>&1 | grep -E 'defaults|runs'
edit mistral sliding_window; $Q inspect "$W/m" 2>&1 | grep -E 'defaults|runs'
edit gemma2 attn_logit_softcapping final_logit_softcapping query_pre_attn_scalar hidden_activation tie_word_embeddings; $Q inspect "$W/m" 2>&1 | grep -E 'defaults|runs'
edit qwen3_moe norm_topk_prob num_experts_per_tok; $Q inspect "$W/m" 2>&1 | grep -E 'defaults|runs'
$Q inspect tests/golden/zoo/llama | grep -c defaults || exit 0
