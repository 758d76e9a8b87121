# what an artifact loses or cannot know is said: values below float16, end tokens without a tokenizer, an importance matrix of other weights
B=tests/golden/cases/text-model-300; m=$W/m; cp -r $B "$m"; n=$(od -An -tu8 -N8 "$m/model.safetensors" | tr -d ' ')
printf '\1\0\0\60' | dd of="$m/model.safetensors" bs=1 seek=$((8 + n)) conv=notrunc 2> /dev/null # BF16 9e-41 and 4.7e-10
$Q quantize "$m" --to gguf:F16 -o "$W/f16.gguf" 2>&1 > /dev/null | grep 'f16'; $Q quantize "$m" --to gguf:F16 -o "$W/f16.gguf" --force --json 2> /dev/null | grep -o '"flushed_to_zero":[0-9]*'
$Q quantize "$m" --to gguf:BF16 -o "$W/bf16.gguf" --json 2> /dev/null | grep -c flushed
printf '\200\177' | dd of="$m/model.safetensors" bs=1 seek=$((8 + n)) conv=notrunc 2> /dev/null; $Q quantize "$m" --to gguf:F16 -o "$W/out.gguf" 2>&1 | grep error
printf '\0\110' | dd of="$m/model.safetensors" bs=1 seek=$((8 + n)) conv=notrunc 2> /dev/null; $Q quantize "$m" --to gguf:F16 -o "$W/out.gguf" 2>&1 | grep error
Z=tests/golden/zoo/mistral; $Q quantize $Z --to gguf:BF16 -o "$W/z.gguf" 2>&1 > /dev/null | grep 'end token'; grep -a -o 'tokenizer.ggml.[a-z]*_token_id' "$W/z.gguf"; $Q diff $Z "$W/z.gguf" | grep eos
Z=tests/golden/zoo/llama; T=$Z/variants/rope-dynamic4-max64.ids.jsonl; $Q calibrate $Z --data $T -o "$W/s.stats" --imatrix "$W/i.gguf" --accept CAL-RANK,CAL-COUNT -q > /dev/null; $Q calibrate $Z --data $T -o "$W/s2.stats" --imatrix "$W/i.dat" --accept CAL-RANK,CAL-COUNT -q > /dev/null 2>&1
o=$W/o; cp -r $Z "$o"; f=$(ls "$o"/*.safetensors | head -1); s=$(stat -c %s "$f"); printf '\0\0' | dd of="$f" bs=1 seek=$((s - 2)) conv=notrunc 2> /dev/null
for i in "$Z i.gguf" "$o i.gguf" "$Z i.dat"; do set -- $i; $Q quantize "$1" --to gguf:Q4_0 --imatrix "$W/$2" -o "$W/q.gguf" --force --json 2>&1 | grep -oE '(warning|note): .*measured.*|"measured_on":"[a-z]*"'; done
exit 0
