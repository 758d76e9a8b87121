# a module that an adapter holds whole: no weight, no second adapter; fan_in_fan_out means nothing for linears
Z=tests/golden/zoo/llama L=tests/golden/lora
for a in "$L/llama-whole:2" "$L/llama-rslora $L/llama-whole" "$L/llama-whole $L/llama-rslora"; do $Q merge $Z $a -o "$W/out" -q 2>&1 | sed 's/^quantz: error/refused/'; done
cp -r $L/llama-plain "$W/a"; sed -i 's/"fan_in_fan_out": false/"fan_in_fan_out": true/' "$W/a/adapter_config.json"
$Q merge $Z "$W/a" -o "$W/m1" -q > /dev/null 2>&1; $Q merge $Z $L/llama-plain -o "$W/m2" -q > /dev/null 2>&1; cat "$W"/m1/*.safetensors | cmp - <(cat "$W"/m2/*.safetensors) && echo "the same bytes"
# an adapter's file over a file of its base; scales that GGUF cannot hold
cp -r $Z "$W/base"; $Q convert $L/llama-plain --to gguf --base "$W/base" -o "$W/base/config.json" -f 2>&1 | sed "s#$W#W#g; s/^quantz: error/refused/"
for e in 0 1e39; do sed -i "s/\"lora_alpha\": *[0-9.e+]*/\"lora_alpha\": $e/" "$W/a/adapter_config.json"; $Q convert "$W/a" --to gguf --base $Z -o "$W/x.gguf" 2>&1 | sed "s#$W#W#g; s/^quantz: error/refused/"; done
