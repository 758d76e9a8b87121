# a server that dies: exit 3, the journal keeps what is finished; --resume asks only for the rest and gives the figures of an uninterrupted run; a journal of another run is refused
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh die=20 $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 --journal "$W/j" -q 2>&1 | sed 's/PORT.*;/PORT…;/'; grep -c '^w' "$W/j"
tests/serve/with.sh ids $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 --journal "$W/j" -q 2>&1 | grep -c 'journal exists'
tests/serve/with.sh ids $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 30 --journal "$W/j" --resume -q 2>&1 | grep -c 'is of another run'
cp "$W/e.jsonl" "$W/was"; head -7 models/market/eval.jsonl | tail -6 > "$W/e.jsonl"; tests/serve/with.sh ids $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 --journal "$W/j" --resume -q 2>&1 | grep -c 'is of another run'; mv "$W/was" "$W/e.jsonl"
tests/serve/with.sh ids $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 --journal "$W/j" --resume -q --json > "$W/a"; ls "$W/j" 2>&1 | grep -c 'No such'
tests/serve/with.sh ids $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 -q --json > "$W/b"
grep -o '"resumed":[0-9]*' "$W/a"; for f in a b; do sed 's/"resumed":[0-9]*//; s/:[0-9]*\/v1//' "$W/$f"; done | uniq | wc -l
