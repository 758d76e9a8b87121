# a scale of FP8 rows or of integers of 1e30, a tensor scale of NVFP4 that blows all up, and one that leaves nothing; the clean folders say nothing
. tests/cli/convert/faulty.sh; said() { $Q check "$1" 2> /dev/null | grep -A1 'CHK-SCALE' | tr -s ' '; }
M=tests/golden/zoo/llama x=model.layers.0.mlp.down_proj
for t in fp8_dynamic int8 nvfp4a16; do $Q quantize $M --to ct:$t --search compat -o "$W/$t" -q > /dev/null 2>&1; rm "$W/$t/quantz-manifest.json"; said "$W/$t"; done
for t in fp8_dynamic int8; do put "$W/$t/model.safetensors" $x.weight_scale '\111\161'; echo $t; said "$W/$t"; done
for v in '\140\102\242\015' '\312\362\111\161'; do put "$W/nvfp4a16/model.safetensors" $x.weight_global_scale "$v"; said "$W/nvfp4a16"; done
# a folder of ModelOpt that does not open says so
$Q quantize $M --to modelopt:nvfp4a16 --search compat -o "$W/mo" -q > /dev/null 2>&1; rm "$W/mo/quantz-manifest.json"; put "$W/mo/model.safetensors" $x.weight_scale_2 '\0\0\0\0'; $Q check "$W/mo" --deep 2> /dev/null | grep -A3 '^error' | sed "s#$W#W#g"
