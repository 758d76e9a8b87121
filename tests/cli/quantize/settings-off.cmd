# quantization_config that quantizes nothing: {} is as good as null; bitsandbytes switched off is read as floats, and said; else refused with the remedy
B=tests/golden/cases/text-model
try() { # NAME VALUE
  rm -rf "$W/m"; mkdir "$W/m"; cp $B/* "$W/m"; sed -i "0,/{/s//{\"quantization_config\": $2,/" "$W/m/config.json"
  $Q quantize "$W/m" --to gguf:F16 -o "$W/$1.gguf" > "$W/o" 2>&1; echo "$1: exit $?"; grep -E "error|quantization_config" "$W/o"
  if [ -e "$W/$1.gguf" ]; then cmp "$W/$1.gguf" "$W/null.gguf" && echo "as with null"; fi; }
try null null
try empty '{}'
try off '{"quant_method": "bitsandbytes", "load_in_4bit": false, "load_in_8bit": false, "bnb_4bit_quant_type": "nf4"}'
try four '{"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false, "bnb_4bit_quant_type": "nf4"}'
try silent '{"quant_method": "bitsandbytes"}'
try other '{"quant_method": "quip"}'
try off-again '{"quant_method": "bitsandbytes", "load_in_4bit": false, "load_in_8bit": false}'
$Q inspect "$W/m" --json | tr , '\n' | grep unread
$Q check "$W/m" --engine vllm 2>&1 | head -2
# codes are codes, whatever the settings say
$Q quantize tests/golden/cases/text-model-300 --to bnb:nf4 -o "$W/nf4" -q > /dev/null 2>&1
sed -i 's/"load_in_4bit": *true/"load_in_4bit": false/' "$W/nf4/config.json"; $Q inspect "$W/nf4" | grep -E "runs|weights|format"
exit 0
