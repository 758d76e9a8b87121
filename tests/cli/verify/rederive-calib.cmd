# data are asked for where the recipe has some; blocks are drawn, or all are coded where tokens flow through what is coded already
m=tests/golden/zoo/qwen2
bash tests/cli/ids.sh > $W/ids.jsonl; a="--seq-len 64 --accept CAL-COUNT,CAL-DUP"
for p in original quantized; do $Q quantize $m --to gptq:w4g32 --calib $W/ids.jsonl $a --propagate $p -o $W/$p -q > /dev/null 2>&1; done
$Q verify $W/original --rederive 10% --source $m --calib $W/ids.jsonl --seed 2 -q | grep -A1 ^rederived
$Q verify $W/quantized --rederive 10% --source $m --calib $W/ids.jsonl --seed 2 -q | grep -A3 ^origin
head -9 $W/ids.jsonl > $W/less.jsonl
$Q verify $W/original --rederive all --source $m --calib $W/less.jsonl -q 2>&1 | grep -E '^(origin|bytes|quantz: error)'
$Q verify $W/original --rederive all --source $m 2>&1
# scales of a cache and factors of the rotation are the plan's own: compared byte by byte
$Q quantize $m --to ct:fp8_dynamic+kv --calib $W/ids.jsonl $a -o $W/kv -q > /dev/null 2>&1; $Q verify $W/kv --rederive all --source $m --calib $W/ids.jsonl -q | grep -E '^(rederived|bytes)'
$Q quantize tests/golden/zoo/phi3 --to gguf:Q8_0 --accept MOD-FLOAT -o $W/p.gguf -q > /dev/null 2>&1; $Q verify $W/p.gguf --rederive all --source tests/golden/zoo/phi3 -q 2>&1 | grep -E '^(rederived|bytes)'
$Q verify $W/p.gguf --rederive all --tokenizer --source tests/golden/zoo/phi3 2>&1
$Q verify $W/none --rederive all --source $m
