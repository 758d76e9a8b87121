# a weight that is NaN is named, not called an overflow; a verb that computes refuses it (exit 2), in both arithmetics
mkdir "$W/m"; cp models/market/*.json models/market/*.jinja models/market/model.safetensors "$W/m"; printf "\300\177" | dd of="$W/m/model.safetensors" bs=1 seek=6000008 conv=notrunc status=none
head -2 models/market/eval.jsonl > "$W/e.jsonl"
for a in exact runtime; do $Q run "$W/m" -p hello -n 4 --arith $a 2> "$W/e" > /dev/null; echo "run $a: rc $?"; tail -1 "$W/e"; done
$Q eval "$W/m" --text "$W/e.jsonl" --arith runtime 2> "$W/e"; echo "eval runtime: rc $?"; tail -1 "$W/e"
$Q eval "$W/m" --text "$W/e.jsonl"
