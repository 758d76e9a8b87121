# modules that stay float and are none of the file: one counted line of inspect, verify and check; a tied head, patterns and names of parts count as found
"$Q" quantize tests/golden/zoo/llama --to ct:fp8_dynamic --search compat -o "$W/m" -q > "$W/log" 2>&1
rm "$W/m/quantz-manifest.json"; tr -d '\n ' < "$W/m/config.json" > "$W/c"
for l in '"lm_head","model.visual","re:.*router$","mtp*"' '"lm_head","re:.*lm_h.*","model.norm","*embed*"'; do
  sed "s/\"ignore\":\[\"lm_head\"\]/\"ignore\":[$l]/" "$W/c" > "$W/m/config.json"
  "$Q" inspect "$W/m" -q 2> "$W/log" | grep 'left float'; "$Q" inspect "$W/m" --json -q 2> "$W/log" | grep -o '"entr[^,]*,'; "$Q" verify "$W/m" -q 2> "$W/log" | grep 'left float'; "$Q" check "$W/m" --quick 2> "$W/log" | grep -A1 MOD-IGNORED
done
true
