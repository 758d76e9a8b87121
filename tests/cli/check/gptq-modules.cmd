# settings of single modules: each is held against the engine's rules, and an engine that reads one for all is named
$Q convert tests/golden/zoo/llama --to gptq:w4g32 --lossy -o "$W/base" -q > /dev/null && bash tests/cli/ids.sh > "$W/ids.jsonl"
$Q quantize tests/golden/zoo/llama --calib "$W/ids.jsonl" --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4 -o "$W/m" -q --to gptq:w4g32 --module 'mlp=asym' --module 'layers.0=keep' > /dev/null 2>&1
$Q check "$W/m" --engine vllm 2> /dev/null | grep -A1 "^error"; $Q check "$W/m" --engine transformers 2> /dev/null | grep -A1 "^error"; $Q check "$W/base" --engine transformers -q | grep -c PRE-; true
