# groups of modules of different levels: the same bytes whichever is the usual one, MXFP4 -> NVFP4 beside FP8 exact; without rules refused, tensor named; no rules with --repair
"$Q" quantize tests/golden/zoo/llama --to ct:mxfp4a16 --module self_attn=fp8_dynamic --search compat -o "$W/m" -q > "$W/log" 2>&1
for a in '--to ct:mxfp4a16 --module self_attn=fp8_dynamic' '--to ct:fp8_dynamic --module mlp=mxfp4a16' '--to ct:nvfp4a16 --module self_attn=fp8_dynamic' '--to ct:mxfp4a16 --module self_attn=keep'; do
  rm -rf "$W/n"; "$Q" convert "$W/m" $a -o "$W/n" -q 2> "$W/log" | grep -E '^(exact|bounded)'; cmp -s "$W/m/model.safetensors" "$W/n/model.safetensors" && echo "the same bytes"; "$Q" verify "$W/n" -q 2> "$W/log" | grep '^decode'
done
"$Q" convert "$W/m" --to ct:mxfp4a16 -o "$W/out" 2>&1 | tail -1; "$Q" convert "$W/m" --repair --module mlp=keep -o "$W/out"
