# what is missing; another base by name and by shape; two adapters; a GGUF adapter to fit; nothing written
A=tests/golden/drift/market-fr L=tests/golden/lora Z=tests/golden/zoo
try() { $Q drift "$@" -q > /dev/null 2> $W/e; echo $?; tail -1 $W/e | sed "s#$W#W#g"; }
bash tests/cli/ids.sh > $W/ids.jsonl
try --lora $A --base models/market --on models/market
try --base models/market --on models/market --text $A.eval.jsonl
try --lora $A --lora $A --base models/market --on models/market --text $A.eval.jsonl
try --lora $L/llama-plain --base models/market --on models/market --text $A.eval.jsonl
try --lora $A --base $Z/llama --on $Z/llama --text $W/ids.jsonl
try --lora $A --base models/market --on $Z/qwen3 --text $A.eval.jsonl
try --lora $A --base models/market --on models/market --text $A.eval.jsonl -o $W/out
try --lora $A --base models/market --on models/market --text $A.eval.jsonl --merged
try --lora $L/llama-plain/adapter.f32.gguf --base $Z/llama --on $Z/llama --text $W/ids.jsonl --calib $W/ids.jsonl --seq-len 16 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,CAL-LEAK -o $W/out
try --lora nowhere --base models/market --on models/market --text $A.eval.jsonl
try --lora $A:0 --base models/market --on models/market --text $A.eval.jsonl --calib $A.calibration.jsonl --windows 2 -o $W/out
ls $W
