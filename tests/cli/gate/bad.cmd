# rules and tables that cannot be meant, each in one line
echo '[{"name":"a","kl":1}]' > "$W/t.json"; for r in '{"max_klx":1}' '{"min_kl":0.1}' '{"min_accuracy":1.5}' '{}' '{"rules":[{"metric":"kl"}]}' '{"rules":[{"metric":"kl","max":1,"levl":2}]}' '['; do echo "$r" > "$W/r.json"; $Q gate "$W/t.json" --rules "$W/r.json" 2>&1; done
echo '{"max_kl":1}' > "$W/r.json"; echo '{"token_hash":"x","rows":[{"artifact":"a","kl":1}]}' > "$W/a.json"; echo '{"token_hash":"y","rows":[{"artifact":"b","kl":1}]}' > "$W/b.json"; $Q gate "$W/a.json" "$W/b.json" --rules "$W/r.json" 2>&1
$Q gate "$W/a.json" --lock "$W/b.json" 2>&1; $Q gate 2>&1; $Q gate models/market 2>&1; $Q gate "$W/a.json" --write-lock "$W/none/q.lock" 2>&1; $Q gate "$W/none.json" --rules "$W/r.json"
