# FP8 by rows, by blocks of compressed-tensors and of transformers: no calibration; written, read back, measured; hostile scales and codes.
m=tests/golden/zoo/llama
for i in 1 2 3; do echo "{\"ids\":[1,7,9,33,$i,77,200,5,99,100]}"; done > $W/ev.jsonl
for to in ct:fp8_dynamic ct:fp8_block fp8:tensor fp8:block+ue8m0 modelopt:fp8_dynamic modelopt:nvfp4a16 modelopt:mxfp4 modelopt:mxfp8 fp8:block; do
  "$Q" quantize $m --to $to -o $W/o -f -q | head -2; "$Q" inspect $W/o -q | head -2 | cut -c1-78
  "$Q" eval $W/o --against $m --text $W/ev.jsonl -q | grep -o 'KL divergence  *[0-9.]*'
done
"$Q" explain $W/o --tensor model.layers.0.self_attn.q_proj.weight --elem 3,7
for to in ct:fp8_dynamic+x ct:nvfp4 fp8:tensor+x fp8:block+x modelopt:nvfp4a16+x modelopt:nvfp4; do "$Q" quantize $m --to $to -o $W/x -q 2>&1; done
"$Q" quantize $m --to ct:fp8_dynamic -o $W/bad -q > /dev/null
at() { printf "$2" | dd of=$W/bad/model.safetensors bs=1 seek=$1 conv=notrunc 2> /dev/null; "$Q" run $W/bad -p 1 --max-new 1 -q 2>&1; }
start=$("$Q" inspect $W/bad -q --json | sed 's/},{/\n/g' | sed -n 's/.*"name":"model.layers.0.self_attn.q_proj.weight".*"offset":\([0-9]*\).*/\1/p' | head -1)
[ -n "$start" ] || start=$("$Q" explain $W/bad --tensor model.layers.0.self_attn.q_proj.weight --elem 0,0 | sed -n 's/.*data from byte \([0-9]*\).*/\1/p')
at $start '\x7f'; at $start '\x08'; at $((start + 128 * 128)) '\x00\x00'
true
