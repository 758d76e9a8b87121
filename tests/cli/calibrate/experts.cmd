# tokens per expert: a table and every count, the experts that saw few named; statistics equal on any number of threads
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > $W/ids.jsonl
cal() { m=$1; shift; "$Q" calibrate tests/golden/zoo/$m --data $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -q "$@"; }
for m in mixtral qwen3_moe; do cal $m --seq-len 64 -o $W/$m.stats --imatrix $W/$m.gguf -t 1 2> /dev/null | tail -n +3; cal $m --seq-len 64 -o $W/$m.2.stats -t 3 > /dev/null 2>&1; cmp $W/$m.stats $W/$m.2.stats && echo equal; done
cal qwen3_moe --seq-len 8 --samples 1 -o $W/few.stats 2>&1 | grep CAL-EXPERT
cal qwen3_moe --seq-len 8 --samples 1 -o $W/json.stats --json 2> /dev/null | sed 's/.*"experts"/"experts"/'
