# a scale of an FP8 cache that is 0, negative or no number: of verify and check
. tests/cli/convert/faulty.sh
bash tests/cli/ids.sh 8 32 > "$W/ids.jsonl"
"$Q" quantize tests/golden/zoo/qwen2 --to ct:fp8_dynamic+kv --search compat --calib "$W/ids.jsonl" --seq-len 32 --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP -o "$W/m" -q > "$W/log" 2>&1
for v in '\0\0\0\0' '\0\0\200\277' '\0\0\300\177'; do
  put "$W/m/model.safetensors" model.layers.1.self_attn.k_scale "$v"
  "$Q" verify "$W/m" -q 2> "$W/log" | grep '^cache'; "$Q" check "$W/m" --quick 2> "$W/log" | grep -A1 CHK-SCALE
done
