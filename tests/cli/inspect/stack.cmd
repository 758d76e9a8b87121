# experts stored as one tensor are one line with its shape; their number in the file
$Q quantize tests/golden/zoo/mixtral --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null; $Q inspect "$W/m.gguf" --tensors > "$W/t"; grep -E 'Tensor|exps' "$W/t"
echo "$(($(wc -l < "$W/t") - 1)) lines, $($Q inspect "$W/m.gguf" | grep -o '[0-9]* tensors')"; $Q inspect "$W/m.gguf" --tensors --json | grep -m1 exps
