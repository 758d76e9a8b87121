# evaluation data that was calibrated on: refused before any work; with --accept everything says so
sed -n 1,40p models/market/calibration.jsonl > "$W/c.jsonl"; (sed -n 51,53p models/market/calibration.jsonl; sed -n 7,8p models/market/calibration.jsonl) > "$W/e.jsonl"
R="$Q release models/market --to gguf:Q8_0 --no-bench --calib $W/c.jsonl -q"
$R --text "$W/e.jsonl" -o "$W/out" 2>&1; echo "rc $?"; $R --text "$W/e.jsonl" -o "$W/out" --accept CAL-DUP -n 2>&1; echo "rc $?"
head -3 models/market/tasks.jsonl > "$W/t.jsonl"; tail -1 "$W/t.jsonl" | sed 's/"check": *"[a-z]*"/"x": 1/' >> "$W/c.jsonl"; $R --tasks "$W/t.jsonl" -o "$W/out" 2>&1; echo "rc $?"
$R --text "$W/e.jsonl" --tasks "$W/t.jsonl" --accept CAL-LEAK -o "$W/r" 2>&1 | grep '^quantz: warning: CAL'
grep -h warning "$W"/r/*.card.md; sed -n '/^Warning/,/^Machine/p' "$W/r/report.md" | grep -v ^Machine; grep -o '"calibration_accepted":[^]]*.' "$W/r/report.json"; grep -h calibration_accepted "$W"/r/*.manifest.json
"$Q" check "$W/r/market.Q8_0.gguf" 2> "$W/e" | grep -A2 CHK-ACCEPTED
$R --text models/market/eval.jsonl --windows 4 -o "$W/clean" > "$W/log" 2>&1; echo "rc $?"; grep -c 'accepted\|LEAK' "$W/log"; grep -o '"calibration_accepted":[^]]*.' "$W/clean/report.json"
$R --text "$W/e.jsonl" -o "$W/out"
