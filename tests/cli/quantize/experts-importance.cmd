# each expert under its own slice of the importance, from statistics and from an importance matrix; an expert without tokens: weights of 1, named
ids() { for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(($1)); done; printf ']}\n'; done; }
ids '(i * i * 31 + k * k * 7 + i * k) % 256' > $W/ids.jsonl; ids 7 > $W/one.jsonl
A="--accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -q"
for d in ids one; do "$Q" calibrate tests/golden/zoo/mixtral --data $W/$d.jsonl --seq-len 64 $A -o $W/$d.stats --imatrix $W/$d.im.gguf > /dev/null 2>&1; "$Q" calibrate tests/golden/zoo/mixtral --data $W/$d.jsonl --seq-len 64 $A -o $W/$d.2.stats --imatrix $W/$d.dat > /dev/null 2>&1; done
to() { "$Q" quantize tests/golden/zoo/mixtral --to gguf:Q4_0 $A --search compat -o $W/$1.gguf "${@:2}" --json > $W/$1.json 2> $W/$1.err; echo "$1 rc $?"; }
to plain; to stats --stats $W/ids.stats; to imatrix --imatrix $W/ids.im.gguf; to dat --imatrix $W/ids.dat
cmp -s $W/plain.gguf $W/stats.gguf || echo importance matters
"$Q" diff $W/stats.gguf $W/imatrix.gguf | sed -n 3p; "$Q" diff $W/imatrix.gguf $W/dat.gguf | sed -n 3p
grep -ho '"importance":.*"unused_entries":\[[^]]*\]' $W/imatrix.json
to one --stats $W/one.stats; to one-imatrix --imatrix $W/one.im.gguf
grep -h 'never measured' $W/one.err; grep -c 'never measured' $W/one-imatrix.err; grep -ho '"weights_of_one":\[[^]]*\]' $W/one.json
"$Q" diff $W/one.gguf $W/one-imatrix.gguf | sed -n 3p
"$Q" quantize tests/golden/zoo/llama --to gguf:Q4_0 $A -o $W/other.gguf --stats $W/ids.stats
