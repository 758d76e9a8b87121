# two models with vocabularies of other sizes, both with tokenizers
head -4 models/market/eval.jsonl > "$W/e.jsonl"; $Q eval models/market tests/golden/cases/text-model --text "$W/e.jsonl"
