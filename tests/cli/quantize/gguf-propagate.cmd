# layer by layer (the default with --calib), and from float inputs: other codes; with one thread the same bytes
bash tests/cli/ids.sh > "$W/ids.jsonl"; q() { $Q quantize tests/golden/zoo/$1 --calib "$W/ids.jsonl" --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 --to gguf:Q4_0 -q "${@:2}"; }
q llama -o "$W/flow.gguf" | grep -A2 feedback; $Q inspect "$W/flow.gguf" | grep recipe; q llama -o "$W/float.gguf" --propagate original | grep -A2 feedback
q llama -o "$W/one.gguf" -t 1 > /dev/null; cmp "$W/flow.gguf" "$W/one.gguf" && echo same; cmp -s "$W/flow.gguf" "$W/float.gguf" || echo other
q phi3 -o "$W/phi3.gguf" | grep -A2 feedback; q mixtral -o "$W/mixtral.gguf" --propagate quantized | grep -A2 feedback
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf 7; done; printf ']}\n'; done > $W/one.jsonl
$Q quantize tests/golden/zoo/mixtral --calib "$W/one.jsonl" --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG --to gguf:Q4_0 -q -o "$W/unseen.gguf" 2>&1 | grep 'quantized model\|error feedback'
$Q quantize tests/golden/zoo/llama --to gguf:Q4_0 --propagate quantized -o "$W/x.gguf" 2>&1 | sed "s/^quantz: error: //"
$Q quantize tests/golden/zoo/llama --to gguf:Q4_0 --calib "$W/ids.jsonl" --imatrix none --propagate quantized -o "$W/x.gguf"
