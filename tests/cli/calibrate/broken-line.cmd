printf "{\"text\": \"a\"}\n{\"text\": \n" > "$W/d.jsonl"; $Q calibrate models/market --data "$W/d.jsonl" -o "$W/out"
