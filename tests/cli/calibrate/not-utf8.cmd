printf "{\"text\": \"a\377b\"}\n" > "$W/d.jsonl"; $Q calibrate models/market --data "$W/d.jsonl" -o "$W/out"
