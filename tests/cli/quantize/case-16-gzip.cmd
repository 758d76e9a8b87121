$Q quantize models/market --to awq --calib tests/golden/cases/16-binary-read-as-text/data.jsonl.gz -o "$W/out"
