# statistics and importance matrices are known to verify and inspect; damaged ones fail
m=tests/golden/zoo/llama
printf '{"ids":[%s]}\n' "$(seq -s, 1 64)" > $W/ids.jsonl
$Q calibrate $m --data $W/ids.jsonl --accept CAL-RANK,CAL-COUNT,CAL-DUP --seq-len 32 -o $W/s.stats --imatrix $W/i.gguf -q > /dev/null 2>&1
$Q calibrate $m --data $W/ids.jsonl --accept CAL-RANK,CAL-COUNT,CAL-DUP --seq-len 32 -o $W/t.stats --imatrix $W/i.dat -q > /dev/null 2>&1
for f in s.stats i.gguf i.dat; do $Q verify $W/$f; echo "verify $?"; $Q inspect $W/$f --json | head -c 60; echo; done
head -c 3000 $W/s.stats > $W/cut.stats; $Q verify $W/cut.stats 2>&1 | sed "s#$W/##g"; head -c 90 $W/i.dat > $W/cut.dat; $Q verify $W/cut.dat 2>&1 | sed "s#$W/##g"
printf '\377\377\377\177' | dd of=$W/s.stats bs=1 seek=60000 conv=notrunc 2> /dev/null; $Q verify $W/s.stats 2>&1 | grep -E 'values|ok'; true
