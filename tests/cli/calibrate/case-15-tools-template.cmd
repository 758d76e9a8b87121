$Q calibrate models/market --lint --data tests/golden/cases/15-message-parts-dropped/tools.jsonl
