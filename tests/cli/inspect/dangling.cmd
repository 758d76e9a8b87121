# a link to nothing is no absent file: every file of a checkpoint that is read names it
for f in chat_template.jinja tokenizer_config.json generation_config.json special_tokens_map.json added_tokens.json tokenizer.json config.json \
  model.safetensors model.safetensors.index.json; do
  rm -rf "$W/m"; cp -r models/market "$W/m"
  [ $f = model.safetensors.index.json ] && rm "$W/m/model.safetensors"
  ln -sf ../../blobs/0123456789abcdef "$W/m/$f"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf" 2> "$W/e"; echo "rc $?: $(tail -1 "$W/e")"
done
rm -rf "$W/m"; ln -s nowhere "$W/m"; $Q inspect "$W/m"
