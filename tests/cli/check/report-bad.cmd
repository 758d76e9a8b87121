# figures that cannot be, by file, row and key; another schema; and a report judged by itself
try() { echo "$1" > "$W/r.json"; $Q check --report "$W/r.json" 2>&1 | grep -E 'error:|CHK-'; echo "exit ${PIPESTATUS[0]}"; }
row() { try "{\"schema\":2,\"rows\":[{\"artifact\":\"src\",\"container\":\"safetensors\",\"ppl\":8,\"bytes\":100},{\"artifact\":\"x\",$1}]}"; }
try '[]'; try '{"schema":2,"rows":[7]}'; try '{"schema":3,"rows":[]}'; try '{"schema":"one","rows":[]}'; try '{"rows":{"a":1}}'
row '"ppl":-8'; row '"ppl":"8.1"'; row '"ppl":NaN'; row '"ppl":0.5'; row '"dppl_pct":-250'; row '"bytes":-1'; row '"gen_tps":{"median":"fast"}'; row '"gen_tps":{"median":-3}'
row '"tasks_solved":12,"tasks":10'; row '"tasks":"11","of":10'; row '"artifact":"y"'; row '"ppl":8.5,"tasks_solved":9,"tasks":10'
{ $Q check --report "$W/r.json" --to awq; $Q check; $Q check --report "$W/r.json" --json; } 2> "$W/e"; grep error: "$W/e"; echo "{}" > "$W/r.json"; $Q check models/market --report "$W/r.json"
