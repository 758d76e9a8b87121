# what --accept took stands in the report, the cards and the JSON; each line is said once, of final names
mkdir "$W/m"; cp tests/golden/cases/09-stored-biases-unused/src/* "$W/m"; sed -i '0,/{/s//{"logit_scale": 0.5,/' "$W/m/config.json"
$Q release "$W/m" --to gguf:F32,bnb:int8 --accept MOD-UNUSED,MOD-KEYS --text tests/golden/cases/08-tied-in-config-but-own-lm_head/ids.jsonl --no-bench -o "$W/out" --json | grep -oE '"(artifact|dropped_tensors|ignored_keys|dropped|ignored)":("[^"]*"|[0-9]+)'
sed -n '/^Dropped/,/^Machine/p' "$W/out/report.md" | grep -v ^Machine; grep -hE 'dropped|ignored' "$W/out/"*.card.md
$Q eval "$W/m" --accept MOD-UNUSED,MOD-KEYS --text tests/golden/cases/08-tied-in-config-but-own-lm_head/ids.jsonl --json -q 2> /dev/null | grep -oE '"(dropped|ignored)[ _a-z]*":("[^"]*"|[0-9]+)'
