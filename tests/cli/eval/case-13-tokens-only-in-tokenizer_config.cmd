mkdir "$W/m"; cp tests/golden/cases/text-model/* tests/golden/cases/13-tokens-only-in-tokenizer_config/* "$W/m"; printf "{\"text\":\"hi <|new|> x hi <|new|> x\"}\n" > "$W/t.jsonl"
printf "{\"ids\":[74,75,223,290,223,90,223,74,75,223,290,223,90]}\n" > "$W/i.jsonl"; $Q eval "$W/m" --text "$W/t.jsonl" -q | head -1; $Q eval "$W/m" --text "$W/i.jsonl" -q | head -1
