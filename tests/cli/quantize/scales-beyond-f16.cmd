# q up and k down by 2^24: the model is the same, and no float16 scale can hold either.
m=tests/golden/cases/scales-beyond-f16
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 200)); done; printf ']}\n'; done > $W/ids.jsonl
for to in gptq:w4g32 gptq:w8g32 awq:w4g32; do for how in best compat; do
  "$Q" quantize $m --to $to --search $how --calib $W/ids.jsonl --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN -o $W/o -q > $W/log 2>&1
  echo "$to $how $? $(grep '^quantz: error' $W/log)"; ls $W | grep -v ids; done; done
"$Q" quantize $m --to gguf:BF16 -o $W/bf16.gguf -q > $W/log 2>&1; echo "bf16 $?"
