# the floats of FP8 and bitsandbytes folders have the source's type, where the card has it; a KV cache is called as the engine does
$Q quantize models/market --to fp8:block -o "$W/f8" -q > /dev/null 2>&1; $Q quantize models/market --to bnb:nf4 -o "$W/nf4" -q > /dev/null 2>&1
for a in f8 nf4; do for cc in 7.5 9.0; do echo "$a $cc"; $Q explain launch "$W/$a" --memory 8GB --cc $cc --kv fp8 | tr -d '\\\n' | grep -oE -- '--dtype [a-z0-9]+|dtype="[a-z0-9]+"|--kv-cache-dtype [a-z0-9_]+'; done; done
$Q explain launch models/market --memory 8GB --cc 9.0 --kv fp8 | grep -o -- '--kv-cache-dtype.*'; $Q explain launch models/market --memory 8GB --cc 7.5 --kv bf16 | grep 'in place'; $Q explain launch models/market --kv q8_0 | grep 'has no KV'
