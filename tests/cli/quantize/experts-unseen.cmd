# an expert that no token reached is rounded to nearest: named, counted; refused under --strict
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf 7; done; printf ']}\n'; done > $W/one.jsonl
A="--calib $W/one.jsonl --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -q"
for p in original quantized; do "$Q" quantize tests/golden/zoo/mixtral --to gptq:w4g32 --propagate $p $A -o $W/$p 2>&1 | grep -v 'CAL-COUNT\|peak memory\|proof'; done
"$Q" quantize tests/golden/zoo/mixtral --to awq:w4g32 $A -o $W/json --json 2> /dev/null | grep -o '"fallbacks":[0-9]*'
"$Q" quantize tests/golden/zoo/mixtral --to gptq:w4g32 --propagate original $A -o $W/out --strict
