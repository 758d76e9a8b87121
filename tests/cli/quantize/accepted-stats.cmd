# what --accept let pass at calibration stands in everything that is made of its statistics
line=$(bash tests/cli/ids.sh | head -1); for i in $(seq 1 24); do echo "$line"; done > "$W/bad.jsonl"; M=tests/golden/zoo/llama
"$Q" calibrate $M --data "$W/bad.jsonl" --seq-len 64 --accept CAL-DUP,CAL-RANK -o "$W/bad.stats" --imatrix "$W/bad.dat" -q 2>&1 | grep -v tokens
"$Q" calibrate $M --data "$W/bad.jsonl" --seq-len 64 --accept CAL-DUP,CAL-RANK -o "$W/bad.stats" --imatrix "$W/bad.gguf" -qf --json 2> /dev/null | grep -o '"calibration_accepted.*'
"$Q" quantize $M --to gptq:w4g32 --stats "$W/bad.stats" -o "$W/g" -q 2>&1 | grep accepted
"$Q" quantize $M --to gguf:Q4_0 --stats "$W/bad.stats" -o "$W/s.gguf" -q --json | grep -o '"calibration_accepted.*'
"$Q" quantize $M --to gguf:Q4_0 --imatrix "$W/bad.gguf" -o "$W/i.gguf" -q 2>&1 | grep accepted
"$Q" convert "$W/i.gguf" --to gguf:F16 -o "$W/c.gguf" -q > /dev/null
"$Q" quantize "$W/c.gguf" --to gguf:Q8_0 -o "$W/q.gguf" -q 2>&1 | grep accepted
grep -H calibration_accepted "$W/g/quantz-manifest.json" "$W"/*.manifest.json
"$Q" inspect "$W/g" | grep accepted; "$Q" inspect "$W/i.gguf" --json | grep -o '"calibration_accepted.*'
rm "$W/i.gguf.manifest.json"; "$Q" inspect "$W/i.gguf" | grep -A9 "no manifest" # the file says it without its manifest
for a in g s.gguf i.gguf c.gguf; do "$Q" check "$W/$a" 2> "$W/e" | grep -A1 CHK-ACCEPTED; tail -1 "$W/e"; done
bash tests/cli/ids.sh > "$W/good.jsonl"; "$Q" quantize $M --to gptq:w4g32 --calib "$W/good.jsonl" --seq-len 64 --accept CAL-COUNT,CAL-DUP -o "$W/ok" -q --json 2> /dev/null | grep -o '"calibration_accepted.*'
grep -c calibration_accepted "$W/ok/quantz-manifest.json"; "$Q" check "$W/ok" | grep -c CHK-ACCEPTED
# with --propagate the tokens are read without statistics of the float model
"$Q" quantize $M --to gptq:w4g32 --search compat --calib "$W/bad.jsonl" --seq-len 64 --accept CAL-DUP,CAL-RANK -o "$W/p" -q 2>&1 | grep accepted
"$Q" quantize $M --to awq:w4g32 --propagate quantized --calib "$W/bad.jsonl" --seq-len 64 --accept CAL-DUP,CAL-RANK -o "$W/w" -q 2>&1 | grep accepted
