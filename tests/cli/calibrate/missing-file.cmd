$Q calibrate models/market --data "$W/none.jsonl" -o "$W/out"
