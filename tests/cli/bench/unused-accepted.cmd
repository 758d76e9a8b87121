# the measuring processes take what the user took
B=tests/golden/cases/text-model; mkdir "$W/m"; cp $B/model.safetensors "$W/m"; sed '0,/{/s//{ "logit_scale": 0.5,/' $B/config.json > "$W/m/config.json"
$Q bench "$W/m" --max-new 4 --window 16 --repeats 1 --accept MOD-KEYS -q | grep -c "gen tok"; $Q bench "$W/m" --repeats 1
