# statistics named like the output are the user's: never touched, whatever becomes of the job
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > "$W/ids.jsonl"
S="--seq-len 64 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG" M=tests/golden/zoo/qwen2
for s in gptq:w4g32 awq:w4g32 gguf:Q4_0; do
  echo mine > "$W/m.stats"; echo mine > "$W/m.stats.partial"; mkdir -p "$W/o.stats"
  for more in "" --force --resume; do
    $Q quantize $M --to $s --calib "$W/ids.jsonl" $S -o "$W/m" -q $more > /dev/null 2>&1; rm -rf "$W/m" "$W/m.manifest.json"
  done
  $Q quantize $M --to $s --calib "$W/nofile" -o "$W/m" -q > /dev/null 2>&1
  $Q quantize $M --to $s --calib "$W/ids.jsonl" $S -o "$W/o" -q > /dev/null 2>&1
  echo "$s: $(cat "$W/m.stats" "$W/m.stats.partial" | tr '\n' ' ')$(ls -d "$W/o.stats" | wc -l) folder"
  rm -rf "$W/o" "$W/o.manifest.json"
done
ls "$W" | tr '\n' ' '; echo
# what lies under the name that is ours, and is not ours, refuses
echo mine > "$W/m.partial.stats"
$Q quantize $M --to gptq:w4g32 --calib "$W/ids.jsonl" $S -o "$W/m" -q
