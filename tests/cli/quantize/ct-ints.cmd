# Integers of compressed-tensors, without calibration and as the library rounds them: written, read back, measured, explained; flags and levels that are none.
m=tests/golden/zoo/llama
for i in 1 2 3; do echo "{\"ids\":[1,7,9,33,$i,77,200,5,99,100]}"; done > $W/ev.jsonl
for to in ct:w4a16+g32 ct:w4a16_asym+g32 ct:w3a16+g-1 ct:int8 ct:w4a8+g32; do
  for search in best compat; do
    "$Q" quantize $m --to $to --search $search -o $W/o -f -q > /dev/null || exit
    [ $search = compat ] || "$Q" inspect $W/o -q | head -2 | cut -c1-78
    echo "$search $("$Q" eval $W/o --against $m --text $W/ev.jsonl -q | grep -o 'KL divergence  *[0-9.]*')"
  done
done
"$Q" explain $W/o --tensor model.layers.0.self_attn.q_proj.weight --elem 3,7
for to in ct:w4a16 ct:w4a17 ct:w4a16+g48 ct:int8+g32 ct:w4a16+g32+g64; do "$Q" quantize $m --to $to -o $W/x -q 2>&1; done
"$Q" quantize $m --to ct:w4a16+g32 -o $W/a -q > /dev/null && "$Q" convert $W/a --to gptq:w4g32 -o $W/b -q && "$Q" verify $W/a -q | tail -1
true
