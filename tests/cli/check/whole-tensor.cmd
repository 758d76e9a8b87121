# against the source: all scales of one tensor twice or 16 times as large, norms, embedding; and an absmax of NF4 that is none; clean ones say nothing
. tests/cli/check/damage.sh; . tests/cli/check/whole.sh; m=models/market
made() { # NAME OPTIONS: an artifact without its manifest
  $Q quantize $m -o "$W/$1" "${@:2}" -q > /dev/null 2>&1; rm -f "$W/$1"/*manifest.json "$W/$1.manifest.json"; }
try() { rm -rf "$W/d"; cp -r "$W/$1" "$W/d"; $2 "$W/d/model.safetensors" "$3" $4 $5; echo "$1 $3 $5"; say "$W/d" --against $m; }
made a --to awq --search compat --calib $m/calibration.jsonl --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG --samples 4 --seq-len 64; made n --to bnb:nf4
for x in a n; do echo "clean $x"; say "$W/$x" --against $m; done
try a whole model.layers.3.mlp.gate_proj.scales F16 1; try a whole model.layers.3.mlp.gate_proj.scales F16 4
try n whole model.layers.1.input_layernorm.weight BF16 1; try n one model.layers.1.input_layernorm.weight BF16 3; try n whole model.embed_tokens.weight BF16 1
try n one model.layers.0.mlp.up_proj.weight.absmax F32 sign; try n one model.layers.0.mlp.up_proj.weight.absmax F32 20; say "$W/d"
