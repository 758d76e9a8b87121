# weights are finite, their products are not: the first layer is named, exit 3, for every verb that runs the model
cp -r models/market "$W/m"; gate=$($Q inspect "$W/m" --tensors | awk '/^model.layers.3.mlp.gate_proj/ {print $5}')
printf "\111\161%.0s" $(seq 1 393216) | dd of="$W/m/model.safetensors" bs=393216 seek="$gate" oflag=seek_bytes conv=notrunc status=none # gate and up of layer 3 become 1e30
t() { "$Q" "$@" -q 2>&1; echo "rc $?"; }
for a in exact runtime; do t run "$W/m" -p hello -n 4 --arith $a; done
t eval "$W/m" --text models/market/eval.jsonl --windows 2
t eval models/market "$W/m" --tasks models/market/tasks.jsonl --max-tasks 2
t bench "$W/m"
t calibrate "$W/m" --data models/market/calibration.jsonl --samples 2 -o "$W/out.stats"
t quantize "$W/m" --to gguf:BF16 -o "$W/out.gguf"
t quantize "$W/m" --to gguf:F16 -o "$W/out16.gguf"
t quantize "$W/m" --to awq --calib models/market/calibration.jsonl --samples 2 -o "$W/out"
t release "$W/m" --to gguf:BF16 --text models/market/eval.jsonl -o "$W/outdir"
ls "$W"
