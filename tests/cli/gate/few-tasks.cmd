# 19 of 20 is above the limit, its interval is not (C-178)
echo '[{"name":"a","tasks_solved":19,"tasks":20},{"name":"b","accuracy":0.95}]' > "$W/t.json"; echo '{"min_accuracy": 0.90}' > "$W/r.json"; $Q gate "$W/t.json" --rules "$W/r.json" --all
