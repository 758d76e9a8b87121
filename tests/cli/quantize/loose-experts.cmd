# Experts in one tensor become linears of their own, in a family that nothing here runs: rows or columns first, halves or every
# other row; what the format cannot hold stays whole, and its layer is named.
z=tests/golden/zoo2
export COLUMNS=2000
cp -r $z/qwen3_5_moe "$W/qwen"; sed -i 's/qwen3_5_moe_text/a_new_moe/' "$W/qwen/config.json"
for m in $z/../zoo/gpt_oss $z/../zoo/llama4 "$W/qwen"; do
  "$Q" quantize $m --to ct:nvfp4a16 -o "$W/out" -f 2>&1 | grep 'warning\|weights\|proof'
  "$Q" quantize $m --to ct:nvfp4a16 -o "$W/x" --dry-run 2> /dev/null | grep 'experts.0.*proj\|experts\.[a-z]' | head -6
done
tr -d ' \n' < "$W/out/config.json" | grep -o '"ignore":[^]]*]'
"$Q" quantize "$W/qwen" --to ct:w4a16+g64 -o "$W/whole" -q 2>&1 | grep 'without a rule'
"$Q" quantize "$W/qwen" --to ct:w4a16+g64 -o "$W/whole" --accept MOD-FLOAT -q 2>&1 | grep 'weights'
tr -d ' \n' < "$W/whole/config.json" | grep -o '"ignore":[^]]*]' | cut -c1-400
"$Q" quantize $z/../zoo/llama4 --to bnb:nf4 -o "$W/bnb" -q 2> /dev/null | grep weights
tr -d ' \n' < "$W/bnb/config.json" | grep -o '"llm_int8_skip_modules":[^]]*]'
"$Q" quantize $z/../zoo/llama4 --to fp8:block -o "$W/fp8" -q 2> /dev/null | grep weights
tr -d ' \n' < "$W/fp8/config.json" | grep -o '"modules_to_not_convert":[^]]*]'
for t in 1 2; do "$Q" quantize $z/../zoo/gpt_oss --to ct:mxfp4 -o "$W/t$t" -q --threads $t > /dev/null 2>&1; sha256sum < "$W/t$t/model.safetensors"; done | uniq | wc -l
true
