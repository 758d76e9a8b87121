# --config of a verb that makes no artifact: its own options, and nothing else
echo '{"max-new":3,"temperature":0}' > "$W/a.json"; $Q run models/market --config "$W/a.json" -p 'Convert temperature.' -q | wc -l
for k in '{"temp":0}' '{"w_bit":4}' '{"help":true}'; do echo "$k" > "$W/b.json"; $Q run models/market --config "$W/b.json" -p hi 2>&1; done; $Q eval models/market --config models/market --text models/market/eval.jsonl
