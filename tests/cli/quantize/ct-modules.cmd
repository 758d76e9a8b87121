# Levels of their own for single modules: NVFP4 linears with static inputs, FP8 attention, one module float, one block of integers; what engines merge must agree, and rules that are none.
m=tests/golden/zoo/llama
bash tests/cli/ids.sh 24 64 > "$W/ids.jsonl"
calib="--calib $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP --seq-len 64"
"$Q" quantize $m --to ct:nvfp4 --module self_attn=fp8 --module layers.1.mlp.down_proj=keep --module layers.1.mlp=ct:w4a16_asym+g32 $calib -o $W/o -q | sed "s#$W/##" | head -2 | sed 's/, [0-9.]* s$//'
grep -o '"format": "[a-z0-9-]*"' $W/o/config.json
tr -d ' \n' < $W/o/config.json | grep -o '"ignore":[^]]*]'
tr -d ' \n' < $W/o/config.json | grep -o '"targets":[^]]*]'
"$Q" inspect $W/o -q | head -2 | cut -c1-78
"$Q" eval $W/o --against $m --text $W/ids.jsonl -q | grep -o 'KL divergence  *[0-9.]*'
"$Q" verify $W/o -q | tail -1
for rule in q_proj=fp8_dynamic self_attn=fp9 self_attn=bits:8 mlp=gptq:w4g32 nothing=fp8 self_attn=; do "$Q" quantize $m --to ct:nvfp4a16 --module $rule -o $W/x -q 2>&1; done
"$Q" quantize $m --to awq:w4g32 --module self_attn=fp8 $calib -o $W/x -q 2>&1
"$Q" quantize $m --to ct:nvfp4a16 --module self_attn=nvfp4 -o $W/x -q 2>&1
true
