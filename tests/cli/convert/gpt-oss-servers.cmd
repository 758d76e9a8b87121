# gpt-oss' own MXFP4 as folders of servers: the experts' numbers stay, in MXFP4 and in NVFP4; what was float stays float
m=tests/golden/zoo/gpt_oss-mxfp4
for to in ct:mxfp4 ct:nvfp4a16 modelopt:nvfp4a16; do
  "$Q" convert $m --to $to -o "$W/o" -f 2>&1 | grep -oE '^exact .*|[0-9]+ linears bf16 \(--module: kept\)'
  "$Q" diff $m "$W/o" | grep 'tensors:'
done
"$Q" convert $m --to ct:int8 -o "$W/out"
