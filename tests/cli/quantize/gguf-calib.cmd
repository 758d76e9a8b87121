bash tests/cli/ids.sh > "$W/ids.jsonl"; $Q quantize tests/golden/zoo/llama --calib "$W/ids.jsonl" --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 -o "$W/out" -q --to gguf:Q4_0
