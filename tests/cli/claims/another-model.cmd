# rows that this model's artifacts cannot have say why, the others stand
bash tests/cli/ids.sh > $W/ids.jsonl; Z=tests/golden/zoo/llama
$Q claims $Z --calib $W/ids.jsonl --seq-len 16 --samples 2 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,CAL-LEAK --text $W/ids.jsonl --no-bench --only C-197,C-198,C-201 2> $W/e; grep -c 'is left out' $W/e
