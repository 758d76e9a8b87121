printf "{\"messages\":[{\"role\":\"user\",\"content\":5}]}\n" > "$W/d.jsonl"; $Q calibrate models/market --lint --data "$W/d.jsonl"
