mkdir "$W/m"; cp tests/golden/cases/text-model/* tests/golden/cases/12-zero-width-split/* "$W/m"; $Q run "$W/m" --raw -p 1234567 -n 1 --json -q | grep -o "\"prompt_tokens\":[0-9]*"
printf "{\"text\":\"1234567 1234567 1234567\"}\n" > "$W/t.jsonl"; printf "{\"ids\":[19,20,21,22,23,294,223,19,20,21,22,23,294,223,19,20,21,22,23,294]}\n" > "$W/i.jsonl"
$Q eval "$W/m" --text "$W/t.jsonl" -q | head -1; $Q eval "$W/m" --text "$W/i.jsonl" -q | head -1
