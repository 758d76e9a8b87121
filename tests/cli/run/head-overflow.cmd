# an output matrix of 1e38: finite weights whose logits overflow; both arithmetics name it (exit 3), as eval does
cp -r tests/golden/cases/text-model "$W/m"; chmod -R u+w "$W/m"; printf '\226\176%.0s' $(seq 9600) | dd of="$W/m/model.safetensors" bs=1 seek=39032 conv=notrunc status=none
echo '{"ids":[1,2,3,4,5,6,7,8]}' > "$W/e.jsonl"; $Q eval "$W/m" --text "$W/e.jsonl" 2> "$W/e"; echo "eval: rc $?"; tail -1 "$W/e"
$Q run "$W/m" -p '1 2 3' -n 2 -q 2> "$W/e"; echo "runtime: rc $?"; tail -1 "$W/e"
$Q run "$W/m" -p '1 2 3' -n 2 --arith exact -q
