bash tests/cli/ids.sh > "$W/ids.jsonl"; $Q quantize tests/golden/zoo/llama --to awq:w4g64 --calib "$W/ids.jsonl" --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 -o "$W/out" -q --json
