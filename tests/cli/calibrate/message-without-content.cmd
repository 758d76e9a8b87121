printf "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null}]}\n" > "$W/d.jsonl"; $Q calibrate models/market --lint --raw --data "$W/d.jsonl"
