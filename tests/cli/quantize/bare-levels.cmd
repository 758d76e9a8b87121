# a bare level that several schemes have is no choice; one of one scheme is
for to in nvfp4 mxfp4 INT8 fp8_dynamic+kv; do
  for verb in quantize check; do "$Q" $verb models/market --to $to $([ $verb = check ] || echo "-o $W/out") 2>&1 | tail -1; done
done
"$Q" plan models/market --formats nvfp4
