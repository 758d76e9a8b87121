# on its own base an adapter loses nothing, and there is nothing to fit
Z=tests/golden/zoo/llama; bash tests/cli/ids.sh > $W/ids.jsonl
$Q drift --lora tests/golden/lora/llama-plain --base $Z --on $Z --text $W/ids.jsonl --calib $W/ids.jsonl --seq-len 16 --samples 2 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,CAL-LEAK
