# an adapter beside source and artifact: what quantization costs with it, scales of AWQ taken out
for i in 1 2 3 4 5 6 7 8; do echo "{\"ids\": [$((i + 4)), $((3 * i)), 17, $((250 - i)), 61, 8, $((i * i + 3)), 99, 100, 5, 77, $((200 - 7 * i)), 31, 43]}"; done > "$W/ids.jsonl"
$Q quantize tests/golden/zoo/llama --to awq:w4g32 --search compat --calib "$W/ids.jsonl" --seq-len 14 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -o "$W/awq" -q > /dev/null 2>&1
$Q eval "$W/awq" --against tests/golden/zoo/llama --text "$W/ids.jsonl" --lora tests/golden/lora/llama-plain --arith exact 2>&1 | grep -E 'adapters|warning' | sed "s#$W#W#g"
$Q eval "$W/awq" --text "$W/ids.jsonl" --lora tests/golden/lora/llama-plain --arith exact 2>&1 | grep -E 'adapters|warning' | sed "s#$W#W#g"
