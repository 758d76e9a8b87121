# A wrapper around a text model, with tensors for images and prediction heads (mtp.*): the text model is read, heads are
# carried as they are unless --no-mtp, images stay out; each said.
s=tests/golden/zoo/qwen3_5; m=$W/wrapped; mkdir -p "$m"; export COLUMNS=2000
file() { # HEADER: a safetensors file of it, the data from standard input
  printf "$(printf '\\x%02x\\x%02x' $((${#1} % 256)) $((${#1} / 256)))\0\0\0\0\0\0%s" "$1"; cat
}
n=$(od -An -tu4 -N4 $s/model.safetensors | tr -d ' ')
h=$(tail -c +9 $s/model.safetensors | head -c "$n" | sed 's/"model\./"model.language_model./g')
tail -c +$((n + 9)) $s/model.safetensors | file "$h" > "$m/model-00001-of-00002.safetensors"
x='{"mtp.fc.weight":{"dtype":"BF16","shape":[4,8],"data_offsets":[0,64]},"model.visual.blocks.0.mlp.weight":{"dtype":"BF16","shape":[2,2,2],"data_offsets":[64,80]}}'
head -c 80 /dev/zero | file "$x" > "$m/model-00002-of-00002.safetensors"
{ printf '{"weight_map":{"mtp.fc.weight":"model-00002-of-00002.safetensors","model.visual.blocks.0.mlp.weight":"model-00002-of-00002.safetensors"'
  printf '%s' "$h" | grep -o '"[a-zA-Z_.0-9]*":{"dtype' | sed 's/:.*//' | while read -r k; do printf ',%s:"model-00001-of-00002.safetensors"' "$k"; done; printf '}}'; } > "$m/model.safetensors.index.json"
printf '{"architectures":["Qwen3_5ForConditionalGeneration"],"model_type":"qwen3_5","image_token_id":250,"vision_config":{"depth":1},"text_config":%s}' "$(sed 's/"use_cache"/"mtp_num_hidden_layers":1,"use_cache"/' $s/config.json)" > "$m/config.json"
$Q inspect "$m" 2>&1 | grep 'family\|MTP\|images'
for o in "" --no-mtp; do $Q quantize "$m" --to ct:nvfp4a16 -o "$W/ct$o" $o 2>&1 | grep 'MTP\|images\|error:'; tr -d ' \n' < "$W/ct$o/config.json" | grep -o '"model_type":"[a-z0-9_]*"\|"mtp_num[^,]*\|"ignore":[^]]*]'; done
$Q quantize "$m" --to gguf:Q8_0 -o "$W/x.gguf" 2>&1 | grep 'MTP\|error:'
$Q quantize "$W/ct" --to fp8:tensor -o "$W/again" 2>&1 | grep 'error:'
a=$($Q quantize $s --to bnb:nf4 -o "$W/a" -q > /dev/null 2>&1; tail -c 1000 "$W/a/model.safetensors" | sha256sum); b=$($Q quantize "$m" --to bnb:nf4 --no-mtp -o "$W/b" -q > /dev/null 2>&1; tail -c 1000 "$W/b/model.safetensors" | sha256sum)
[ "$a" = "$b" ] && echo "the weights are those of the text model alone"
true
