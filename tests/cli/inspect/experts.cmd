# a model with experts, and what its artifact says of the weights that stay
$Q inspect tests/golden/zoo/mixtral
$Q quantize tests/golden/zoo/mixtral --to gguf:Q4_0 --search compat -o "$W/a.gguf" -q | grep weights
$Q inspect "$W/a.gguf" | grep -E 'experts|weights'
grep -E '"(summary|weights)"' "$W/a.gguf.manifest.json"
$Q quantize tests/golden/zoo/gemma2 --to gguf:Q4_K_M --search compat --accept MOD-FLOAT --dry-run -q | grep weights
$Q quantize tests/golden/zoo/phi3 --to bnb:nf4 -o "$W/b" -q | grep weights
$Q convert "$W/a.gguf" --to gguf:F16 -o "$W/c.gguf" -q | grep weights
