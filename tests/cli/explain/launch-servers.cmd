# check and explain launch say the same of formats of servers: a line for whom it loads, a refusal for whom it does not
for spec in deepseek_v3:ct:int8 gpt_oss:modelopt:mxfp4 gpt_oss:modelopt:nvfp4a16 glm4_moe:fp8:block; do
  a="$W/${spec%%:*}-${spec##*:}"; "$Q" quantize "tests/golden/zoo/${spec%%:*}" --to "${spec#*:}" -o "$a" --quiet > "$W/log" 2>&1
  "$Q" check "$a" --json > "$W/check" 2> "$W/log"
  for e in vllm sglang transformers llama.cpp ollama; do
    "$Q" explain launch "$a" --engine $e > "$W/launch" 2> "$W/log"; code=$?
    "$Q" check "$a" --engine $e > "$W/check" 2> "$W/log"
    printf '%-16s %-12s launch %d, refused %d; check errors %d\n' "$spec" $e $code "$(grep -cE '^  (refused:|does not load)' "$W/launch")" "$(grep -c '^error ' "$W/check")"
  done
done
