$Q calibrate models/market --lint --raw --json --accept CAL-RANK --data tests/golden/cases/15-message-parts-dropped/tools.jsonl
