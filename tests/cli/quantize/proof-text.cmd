# the proof's text is of the data where there are any (calibration of quantize; evaluation before calibration in release), else a bundled one
# through the chat template, or plain, or ids; each says which; on the user's own text a good file has a small KL
p() { "$@" 2> /dev/null | grep -o 'KL .*' | sed -E 's/KL 0\.000[0-9]+ on [0-9]+/KL small on N/; s/KL [0-9.]+ on [0-9]+/KL N on N/; s/greedy: .*//'; }
export COLUMNS=400
p $Q quantize models/market --to gguf:Q8_0 --calib models/market/calibration.jsonl --samples 4 --seq-len 64 --propagate original -o "$W/a.gguf" -q
p $Q quantize models/market --to gguf:Q4_K_M -o "$W/b.gguf" -q
$Q quantize models/market --to gguf:Q4_K_M -o "$W/c.gguf" --json -q 2> /dev/null | grep -o '"proof_text":"[^"]*"'
mkdir "$W/m"; cp models/market/*.json models/market/model.safetensors "$W/m"; sed -i 's/"chat_template"/"no_template"/' "$W/m/tokenizer_config.json"
p $Q quantize "$W/m" --to gguf:Q4_K_M -o "$W/d.gguf" -q
p $Q quantize tests/golden/zoo/llama --to gguf:Q8_0 -o "$W/e.gguf" -q
p $Q convert "$W/b.gguf" --to gguf:F16 -o "$W/f.gguf" -q
head -4 models/market/eval.jsonl > "$W/eval.jsonl"
$Q release models/market --to gguf:Q8_0 --calib models/market/calibration.jsonl --samples 4 --seq-len 64 --text "$W/eval.jsonl" --no-bench -o "$W/r" > /dev/null 2> "$W/err"; grep -o 'proof KL.*' "$W/err" | sed -E 's/KL 0\.000[0-9]+ on [0-9]+/KL small on N/'
grep -o '"proof_text":"[^"]*"' "$W/r/report.json"
