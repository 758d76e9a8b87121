# a folder of an artifact without its weights; --repair of one whose weights do not open
mkdir "$W/m"; sed 's/^{/{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]},/' models/market/config.json > "$W/m/config.json"
"$Q" check "$W/m" 2> "$W/log" | grep -A2 CHK-OPEN
"$Q" quantize tests/golden/zoo/llama --to ct:fp8_dynamic --search compat -o "$W/o" -q > "$W/log" 2>&1
. tests/cli/convert/faulty.sh; names "$W/o/model.safetensors" 's/"model.layers.0.mlp.down_proj.weight_scale"/"model.layers.0.mlp.down_proj.weight_scalf"/'
"$Q" convert "$W/o" --repair -o "$W/out"
