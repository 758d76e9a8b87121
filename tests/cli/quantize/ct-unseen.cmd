# Static inputs of experts that no token of the calibration reached: their layer's range, said, whether scales are folded or not.
m=tests/golden/zoo/qwen3_moe
echo '{"ids":[1,2,3,4,5,6,7,8]}' > $W/one.jsonl
for to in ct:int8+static ct:nvfp4 ct:fp8; do
  "$Q" quantize $m --to $to --calib $W/one.jsonl --seq-len 8 --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP -o $W/o -f 2>&1 | grep -o 'no token of the calibration data reached the experts of [0-9]* tensors.*'
  "$Q" verify $W/o -q | tail -1
done
true
