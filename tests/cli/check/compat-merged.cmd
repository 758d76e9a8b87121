# ModelOpt's own export gives q k v scales of their own: said where it is written, found by check; --search best writes one
bash tests/cli/ids.sh 8 32 > "$W/ids.jsonl"
for s in compat best; do
  "$Q" quantize tests/golden/zoo/llama --to modelopt:fp8 --search $s --calib "$W/ids.jsonl" --seq-len 32 --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP -o "$W/$s" 2>&1 | grep -o 'q k v and gate up.*\|shared scales (q k v; gate up): [0-9]* of [0-9]* linears'; "$Q" check "$W/$s" --quick 2> "$W/log" | grep -c CHK-MERGED
done
true
