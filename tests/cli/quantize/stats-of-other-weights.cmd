# equal shapes and other weights: said
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > "$W/ids.jsonl"
S="--seq-len 64 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG" M=tests/golden/zoo/qwen2
cp -r $M "$W/other"; chmod -R u+w "$W/other"
size=$(stat -c %s "$W/other/model.safetensors"); printf '\x10\x3c' | dd of="$W/other/model.safetensors" bs=1 seek=$((size - 2)) conv=notrunc 2> /dev/null
$Q calibrate "$W/other" --data "$W/ids.jsonl" $S -o "$W/s.stats" -q > /dev/null 2>&1
$Q quantize $M --to gptq:w4g32 --stats "$W/s.stats" --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -o "$W/out" 2>&1 | grep 'other weights'
# a pass killed before its first bytes were written is begun anew
$Q calibrate $M --data "$W/ids.jsonl" $S -o "$W/r.stats" -q > /dev/null 2>&1; sha256sum < "$W/r.stats" > "$W/want"; mv "$W/r.stats" "$W/full"
head -c 16 "$W/full" > /dev/null; : > "$W/r.stats.partial"
printf '%s\n' 0000000000000000000000000000000000000000000000000000000000000000 > "$W/r.stats.partial.journal"
$Q calibrate $M --data "$W/ids.jsonl" $S -o "$W/r.stats" --resume -q > /dev/null 2>&1; sha256sum < "$W/r.stats" | cmp - "$W/want" && echo same
