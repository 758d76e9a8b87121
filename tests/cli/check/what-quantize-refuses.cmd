# check plans what quantize would write: the same refusals
for x in 'gemma3 gguf:Q8_0' 'qwen3_moe gguf:Q8_0' 'gemma2 gptq:w4g-1' 'mixtral gguf:F16'; do
  set -- $x
  $Q check tests/golden/zoo/$1 --to $2 --json > "$W/j" 2> /dev/null; echo "$x: exit $?, $(grep -c CHK-WRITE "$W/j") refused"
done
