# scales that AWQ moved are taken out, and the fitted adapter has the same bytes on any thread count
A=tests/golden/drift/market-fr; head -3 $A.eval.jsonl > $W/t.jsonl
$Q quantize models/market --to awq --search compat --calib models/market/calibration.jsonl --samples 4 --seq-len 64 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -o $W/awq -q > /dev/null 2>&1
for t in 1 3; do $Q drift -t $t --lora $A --base models/market --on $W/awq --text $W/t.jsonl --calib $A.calibration.jsonl --samples 4 -o $W/out$t > /dev/null 2>&1; done
cmp $W/out1/adapter_model.safetensors $W/out3/adapter_model.safetensors && echo same; ls $W/out1 | wc -l
