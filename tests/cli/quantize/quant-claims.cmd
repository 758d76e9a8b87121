# settings of quantized sources that contradict the tensors, or that are not honoured: one line each, exit 2
B=tests/golden/cases/text-model-300
for s in fp8 ct:fp8_dynamic ct:fp8_block bnb:nf4; do $Q quantize $B --to $s -o "$W/${s%:*}${s#*_}" -q > /dev/null 2>&1; done
try() { # NAME FOLDER SED-ON-CONFIG [SED-ON-WEIGHTS [OPTIONS]]
  rm -rf "$W/t"; cp -r "$W/$2" "$W/t"; sed -i "$3" "$W/t/config.json"; [ -z "$4" ] || LC_ALL=C sed -i "$4" "$W/t/model.safetensors"
  $Q quantize "$W/t" --to gguf:F32 --dry-run $5 > "$W/o" 2> "$W/e"; echo "$1: exit $?"; grep -E "error|note: W|honoured|not applied|codes there|inputs stay" "$W/e" | sed "s#$W#W#g" | grep -v "tokenizer"; }
add() { # FOLDER NAME [DTYPE SHAPE BYTES]: a tensor more, 1.0 of F32 by default
  local f=$1/model.safetensors n h; n=$(od -An -tu8 -N8 "$f" | tr -d ' '); h=$(tail -c +9 "$f" | head -c "$n"); local e=$(( $(stat -c %s "$f") - 8 - n ))
  h="${h%\}*},\"$2\":{\"dtype\":\"${3:-F32}\",\"shape\":[${4:-1}],\"data_offsets\":[$e,$((e + ${5:-4}))]}}"; local l=${#h}
  { printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x\\0\\0\\0\\0' $((l & 255)) $((l >> 8 & 255)) $((l >> 16 & 255)) 0)"; printf %s "$h"; tail -c +$((9 + n)) "$f"; if [ -n "$5" ]; then head -c "$5" /dev/zero; else printf '\0\0\200\77'; fi; } > "$f.new"; mv "$f.new" "$f"; }
ls "$W"
try plain fp8fp8 ''
try fmt fp8fp8 's/"fmt": *"e4m3"/"fmt":"e5m2"/'
try e5m2-tensors fp8fp8 '' 's/F8_E4M3/F8_E5M2/g'
try static fp8fp8 's/"dynamic"/"static"/'
try store fp8fp8 's/"fmt":/"store_dtype":"mxfp4","fmt":/'
try list fp8fp8 's/"modules_to_not_convert": *\[/&"model.layers.0.mlp",/'
try list-regex ctdynamic 's/"ignore": *\[/&"re:.*down_proj",/'
try kv ctdynamic 's/"kv_cache_scheme": *null/"kv_cache_scheme":{"num_bits":8,"type":"float"}/'
try sparsity ctdynamic 's/"kv_cache_scheme"/"sparsity_config":{"format":"sparse-24-bitmask"},&/'
try sparsity-dense ctdynamic 's/"kv_cache_scheme"/"sparsity_config":{"format":"dense"},&/'
try asymmetric ctdynamic 's/"symmetric": *true/"symmetric":false/'
try tensor-strategy ctdynamic 's/"channel"/"tensor"/'
try static-inputs ctdynamic 's/"dynamic": *true/"dynamic":false/'
try unknown-argument ctdynamic 's/"num_bits"/"my_note":1,&/'
try fp4-says bnbbnb:nf4 's/"nf4"/"fp4"/'
try int8-says bnbbnb:nf4 's/"load_in_8bit": *false/"load_in_8bit":true/; s/"load_in_4bit": *true/"load_in_4bit":false/'
try double bnbbnb:nf4 's/"bnb_4bit_use_double_quant": *false/"bnb_4bit_use_double_quant":true/'
cp -r "$W/fp8fp8" "$W/f"; LC_ALL=C sed -i 's/q_proj.weight/q_prox.weight/g' "$W/f/model.safetensors"; add "$W/f" model.layers.0.self_attn.q_proj.weight BF16 32,32 2048
try one-float f '' '' '--accept MOD-UNUSED'
try one-float-listed f 's/"modules_to_not_convert": *\[/&"model.layers.0.self_attn.q_proj",/' '' '--accept MOD-UNUSED'
cp -r "$W/ctdynamic" "$W/s"; for x in self_attn.{q,k,v,o}_proj mlp.{gate,up,down}_proj; do add "$W/s" model.layers.0.$x.input_scale; done; try static-inputs-stored s 's/"dynamic": *true/"dynamic":false/'
cp -r "$W/ctdynamic" "$W/z"; add "$W/z" model.layers.0.self_attn.q_proj.input_scale F32 1 4; try static-inputs-zero z 's/"dynamic": *true/"dynamic":false/'
cp -r "$W/ctdynamic" "$W/y"; add "$W/y" model.layers.0.self_attn.q_proj.input_scale F32 2 8; try static-inputs-two y 's/"dynamic": *true/"dynamic":false/'
add "$W/z" model.layers.0.self_attn.k_proj.input_scale; try scales-without-use z ''
add "$W/fp8fp8" model.layers.0.input_layernorm.weight_scale_inv; try stray-scale fp8fp8 ''
add "$W/ctdynamic" model.layers.0.mlp.up_proj.weight_zero_point; try zero-point ctdynamic ''
add "$W/ctblock" model.layers.0.mlp.upper.weight_scale; try nobody ctblock ''
rm -rf "$W/i32"; cp -r $B "$W/i32"; sed -i '0,/{/s//{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]},/' "$W/i32/config.json"; try float-under-fp8 i32 ''
LC_ALL=C sed -i -E 's/(_proj.weight": *\{"dtype": *)"BF16"/\1"I16" /g' "$W/i32/model.safetensors"; try integers-under-fp8 i32 ''
exit 0
