# every token to every expert, for the statistics alone: named in the file's header and in the manifest
for i in 1 2 3 4; do echo "{\"ids\": [$((i + 4)), $((3 * i)), 17, $((250 - i)), 61, 8, $((i * i + 3)), 99, 100, 5, 77, $((200 - 7 * i)), 31, 43]}"; done > "$W/ids.jsonl"
Z=tests/golden/zoo a="--accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG"
$Q calibrate $Z/qwen3_moe-sparse --data "$W/ids.jsonl" --seq-len 14 $a --route all -o "$W/all.stats" | grep -A4 'Tokens per expert'; head -c 2000 "$W/all.stats" | grep -ao '"route_all":true'
$Q quantize $Z/qwen3_moe-sparse --to gptq:w4g32 --stats "$W/all.stats" --propagate original $a -o "$W/q" -q > /dev/null 2>&1; grep -o '"route": *"all"' "$W/q/quantz-manifest.json"
for x in "$Z/llama --route all" "$Z/llama4 --route all" "$Z/llama --route some"; do $Q calibrate $x --data "$W/ids.jsonl" --seq-len 14 $a -o "$W/out.stats"; echo $?; done 2>&1 | grep -v '^calib'
$Q quantize $Z/qwen3_moe-sparse --to gptq:w4g32 --calib "$W/ids.jsonl" --seq-len 14 --route all $a -o "$W/out"
