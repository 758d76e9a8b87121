$Q eval models/market --text tests/golden/cases/16-binary-read-as-text/data.jsonl.gz -q
