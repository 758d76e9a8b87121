$Q calibrate models/market --lint --data tests/golden/cases/24-jsonl-with-bom/bom.jsonl
