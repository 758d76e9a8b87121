# lines that fit: the context that the card holds, users, cards and cache types as each engine calls them; what does not fit or load there is said, as check does
cp -r models/market "$W/m"; sed -i 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 100000000/' "$W/m/config.json"
$Q explain launch "$W/m" --hardware rtx-4060 | grep -A3 -E '^(vLLM|SGLang)'; $Q explain launch "$W/m" --hardware rtx-4060 --ctx 8k --users 4 --tp 2 --kv fp8 | grep -A4 -E '^(vLLM|SGLang)'; $Q explain launch "$W/m" --hardware rtx-4060 --ctx 90000000 2>&1 | grep -A3 -E '^vLLM'
$Q quantize models/market --to Q4_K_M -o "$W/q.gguf" -q > /dev/null 2>&1; $Q explain launch "$W/q.gguf" --hardware v100 --users 4 --kv q8_0 | grep -A4 -E '^(vLLM|llama)'
$Q quantize models/market --to awq:w4g64 --propagate original --search best --without fold,descent,refit,norms --calib models/market/calibration.jsonl --samples 2 -o "$W/a" -q > /dev/null; $Q explain launch "$W/a" --hardware v100 | grep -A2 -E '^vLLM'
$Q explain launch models/market --ctx 2000 2>&1; true
