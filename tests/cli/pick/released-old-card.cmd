# what is stored in BF16 beside its codes runs in float16 on a card without bfloat16, as check --dtype says
$Q quantize models/market --to fp8:block -o "$W/f8" -q > /dev/null 2>&1; $Q pick "$W/f8" --hardware t4 2> /dev/null | sed "s#$W#W#" | grep -A2 -E '^(deploy|commands|error)' | grep -oE 'FP8|fp8, its floats in float16|--dtype float16|PRE-BF16'
