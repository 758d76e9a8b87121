# Scales of an FP8 KV cache, one a layer or one a head, beside any level; they come of the tokens, so statistics alone do not do.
m=tests/golden/zoo/qwen3_moe
bash tests/cli/ids.sh 24 64 > "$W/ids.jsonl"
calib="--calib $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP --seq-len 64"
for to in ct:fp8_dynamic+kv ct:int8+static+kv_heads; do
  "$Q" quantize $m --to $to $calib -o $W/o -f 2>&1 | grep -o 'keys up to.*'
  tr -d ' \n' < $W/o/config.json | grep -o '"kv_cache_scheme":{[^}]*}'
  head -c 60000 $W/o/model.safetensors | tr '{' '\n' | grep -a -A1 '_scale"' | grep -a -A1 'self_attn.[kv]_scale' | grep -a -o '"dtype":"F32","shape":[^]]*]' | sort | uniq -c
  "$Q" verify $W/o -q | tail -1
  "$Q" eval $W/o --against $m --text $W/ids.jsonl -q | grep -o 'KL divergence  *[0-9.]*'
done
# the result says so, and servers, plan and check count the cache that the scales are for
"$Q" quantize $m --to ct:fp8_dynamic+kv $calib -o $W/o -f 2> /dev/null | grep 'cache:'
"$Q" plan $W/o | grep -o 'KV cache  *[a-z0-9]*'; "$Q" check $W/o 2> /dev/null | grep -c MOD-IGNORED
"$Q" explain launch $W/o | grep -o 'kv-cache-dtype.*'
"$Q" calibrate $m --data $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP --seq-len 64 -o $W/s -q > /dev/null
"$Q" quantize $m --to ct:int8+kv --stats $W/s -o $W/x -q 2>&1
"$Q" quantize $m --to ct:int8+kv -o $W/x -q 2>&1
"$Q" quantize $m --to ct:int8+kv+kv_heads -o $W/x -q 2>&1
true
