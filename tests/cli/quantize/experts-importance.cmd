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
# qwen3moe: its first layer alone (GGUF cannot say the dense one behind it)
mkdir $W/one; cp tests/golden/zoo/qwen3_moe/*.safetensors $W/one; sed 's/"mlp_only_layers": \[1\]/"mlp_only_layers": []/; s/"num_hidden_layers": 3/"num_hidden_layers": 1/' tests/golden/zoo/qwen3_moe/config.json > $W/one/config.json
"$Q" calibrate $W/one --data $W/ids.jsonl --seq-len 64 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,MOD-UNUSED -q -o $W/q.stats --imatrix $W/q.im.gguf 2> /dev/null | tail -1
"$Q" quantize $W/one --to gguf:Q4_0 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,MOD-UNUSED -q --imatrix $W/q.im.gguf -o $W/q.gguf 2> /dev/null | grep importance
"$Q" quantize tests/golden/zoo/llama --to gguf:Q4_0 $A -o $W/other.gguf --stats $W/ids.stats
