# A named pipe without a writer is refused and not waited for, wherever a file is read.
m=tests/golden/zoo/qwen2; mkfifo $W/p; mkdir $W/m; cp $m/model.safetensors $W/m; mkfifo $W/m/config.json
try() { timeout 20 "$Q" "$@" -q > $W/log 2>&1; echo "$? $(grep '^quantz: error' $W/log)"; }
try quantize $m --to awq:w4g32 --calib $W/p -o $W/o
try quantize $m --to awq:w4g32 --stats $W/p -o $W/o
try quantize $m --to gguf:Q8_0 --imatrix $W/p -o $W/o
try calibrate $m --data $W/p -o $W/o
try eval $m --text $W/p
try eval $m --tasks $W/p
try quantize $m --config $W/p -o $W/o
try release $m --to gguf:Q8_0 --text $W/p -o $W/o
try check $m --report $W/p
try inspect $W/p
try inspect $W/m
ls $W
