# Squares beyond float32: no statistics are written.
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 200)); done; printf ']}\n'; done > $W/ids.jsonl
"$Q" calibrate tests/golden/cases/inputs-beyond-f32 --data $W/ids.jsonl --seq-len 64 --accept "CAL-COUNT, CAL-RANK,CAL-DUP,CAL-LEN" -o $W/out.stats --imatrix $W/out.dat -q
