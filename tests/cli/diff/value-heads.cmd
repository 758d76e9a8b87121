# A GGUF file has value heads in another order and rates in place of A_log: the same values, either way round.
for m in qwen3_5 qwen3_5_moe; do
  $Q quantize tests/golden/zoo/$m --to gguf:BF16 -o "$W/$m.gguf" -q > /dev/null 2>&1
  $Q diff tests/golden/zoo/$m "$W/$m.gguf" 2>&1 | grep -A1 equal,; $Q diff "$W/$m.gguf" tests/golden/zoo/$m 2>&1 | grep -A1 equal,
done
$Q quantize tests/golden/zoo/qwen3_5 --to gguf:Q8_0 -o "$W/q.gguf" -q > /dev/null 2>&1; $Q diff tests/golden/zoo/qwen3_5 "$W/q.gguf" 2>&1 | grep 'out_proj\|A_log\|equal,'
