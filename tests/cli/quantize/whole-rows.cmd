# widths that no group divides (80) go as whole rows of whole 32-bit words; the file reads back and runs
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > "$W/ids.jsonl"
A=CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG
for s in gptq:w4g-1 gptq:w8g-1+act_order gptq:w2g-1; do
  $Q quantize tests/golden/zoo/gemma2 --to $s -o "$W/made" -f -q --seq-len 64 --accept $A --calib "$W/ids.jsonl" 2>/dev/null | grep weights:
  $Q verify "$W/made" | grep decode
done
$Q eval "$W/made" --against tests/golden/zoo/gemma2 --text "$W/ids.jsonl" --json -q 2>/dev/null | grep -c '"kl":[0-9]'
$Q quantize tests/golden/zoo/gemma2 --to gptq:w3g-1 -o "$W/out" -q --seq-len 64 --accept $A --calib "$W/ids.jsonl"
