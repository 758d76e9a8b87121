# the output matrix coded by request: the class Linear names it and 'ignore' does not; it runs; engines that are not known to read it are named; tied and small floats refused
"$Q" quantize tests/golden/zoo/llama --to ct:w8a16+g32+lm_head --search compat -o "$W/m" -q > "$W/log" 2>&1
grep -ao '"lm_head[^}]*,"data' "$W/m/model.safetensors"; tr -d '\n ' < "$W/m/config.json" | grep -oE '"(ignore|targets)":[^]]*\]'
"$Q" verify "$W/m" -q 2> "$W/log" | grep -E '^(structure|decode)'; "$Q" run "$W/m" -p '1 2 3' -n 4 2> "$W/log"; "$Q" run tests/golden/zoo/llama -p '1 2 3' -n 4 2> "$W/log"
for e in vllm sglang; do "$Q" check "$W/m" --quick --engine $e 2> "$W/log" | grep -c PRE-HEAD; done
"$Q" quantize tests/golden/zoo/qwen3 --to ct:w4a16+g32+lm_head -o "$W/out" 2>&1 | tail -1; "$Q" quantize tests/golden/zoo/llama --to ct:fp8_dynamic+lm_head -o "$W/out"
