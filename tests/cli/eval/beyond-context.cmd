# texts longer than the context that the model was made for: one warning with the count of positions, and the figure in JSON
Z=tests/golden/zoo/llama; T=$Z/variants/rope-dynamic4-max64.ids.jsonl; m=$W/m; cp -r $Z "$m"; sed -i -E 's/("max_position_embeddings": )[0-9]+/\164/' "$m/config.json"
$Q eval "$m" --text $T > /dev/null; $Q eval "$m" --text $T --json 2> /dev/null | grep -o '"positions_beyond_context":[0-9]*'
$Q calibrate "$m" --data $T -o "$W/s.stats" --seq-len 70 --accept CAL-RANK,CAL-COUNT --json 2>&1 | grep -oE 'warning: .*beyond.*|"positions_beyond_context":[0-9]*'
