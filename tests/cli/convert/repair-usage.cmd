# what --repair does not take
$Q convert models/market --repair --to gptq -o "$W/out" 2>&1; $Q convert models/market --repair 2>&1; $Q convert models/market --to gptq --calib x 2>&1; $Q convert models/market/eval.jsonl --repair -o "$W/out"
