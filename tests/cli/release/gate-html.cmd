# --gate and --html: verdicts in table, report, card and manifest; one page with plots; exit 1 where nothing is approved; again over itself
M=models/market; head -8 $M/eval.jsonl > "$W/e.jsonl"; echo '{"max_kl": 0.01, "min_accuracy": 0.6, "max_size_gb": 0.005}' > "$W/r.json"; echo '{"max_kl": 1e-9}' > "$W/no.json"
R="$Q release $M --to gguf:Q4_0,gguf:Q8_0 --text $W/e.jsonl --tasks $M/tasks.jsonl --max-tasks 24 --no-bench --search compat -o $W/d -q"
$R --gate "$W/r.json" --html 2>&1 | grep -A3 -E '^market\.|^approved'; grep -h '^| gate' "$W"/d/*.card.md | sed 's/sha256.*/sha256 …/'; grep -l '"approved": true' "$W"/d/*.manifest.json; ls "$W/d"
grep -oE '<figure id="[a-z]*"|<section id="[a-z]*"|refused|approved' "$W/d/report.html" | tr '\n' ' '; grep -c 'http' "$W/d/report.html"
$R --gate "$W/r.json" --html --resume > /dev/null 2>&1; echo "again: exit $?"; $R --gate "$W/no.json" --html --force 2>&1 | tail -2
