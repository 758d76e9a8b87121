# a key that no row reads is named by every verb that opens the model, in text and in JSON; one that sounds like arithmetic refuses
Z=tests/golden/zoo/llama; m=$W/m; cp -r $Z "$m"; sed -i '1a "my_note": "x",' "$m/config.json"; T=$Z/variants/rope-dynamic4-max64.ids.jsonl
says() { echo "== $1"; shift; "$Q" "$@" 2>&1 > "$W/o" | grep -oE "[0-9]+ keys? of the configuration not read: .*"; "$Q" "$@" --json 2> /dev/null | grep -oE '"unread[a-z_ ]*": ?("[^"]*"|[0-9]+)' | tr '\n' ' '; echo; }
says quantize quantize "$m" --to gguf:Q8_0 -o "$W/a.gguf" --force; says convert convert "$m" --to gguf:BF16 -o "$W/b.gguf" --force
says calibrate calibrate "$m" --data $T -o "$W/s.stats" --force --accept CAL-RANK; says eval eval "$m" --text $T; says bench bench "$m" --max-new 4 --repeats 1 --window 8; says diff diff $Z "$m"
printf '5 6 7' > "$W/p"; says inspect inspect "$m"; says plan plan "$m"; says plan-config plan "$m/config.json"; says pick pick "$m" --hardware rtx-4090
$Q inspect "$m" | grep 'keys '; $Q verify "$m" | grep 'keys '; $Q check "$m" 2> /dev/null | grep -A1 MOD-IGNORED
sed -i '1a "use_rope": false,' "$m/config.json"; $Q plan "$m/config.json" 2>&1 > /dev/null | grep MOD-KEYS; $Q eval "$m" --text $T
