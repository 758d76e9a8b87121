# A family whose shape alone is known (minimax_m2), one that is known by name, and what can be done with their files.
cp tests/golden/zoo/llama/*.safetensors tests/golden/zoo/llama/model.safetensors.index.json "$W"; sed 's/qwen3_moe/minimax_m2/' tests/golden/plan/qwen3_moe.json > "$W/config.json"; $Q inspect "$W"; $Q inspect "$W" --json | grep -oE '"shape":[^}]*}'; $Q check "$W/config.json" | head -2
mkdir "$W/n"; mv "$W"/model* "$W/n"; sed 's/"model_type": "llama"/"model_type": "nemotron_h"/' tests/golden/zoo/llama/config.json > "$W/n/config.json"
for v in inspect plan verify check; do $Q $v "$W/n" 2>&1 | head -8; done
$Q quantize "$W/n" --to bnb:nf4 -o "$W/b" 2>&1 | grep -E 'error:|weights:|proof'; $Q verify "$W/b" | grep -cE ' ok '; $Q check "$W/b" 2>&1 | head -8
$Q quantize "$W" --to gguf:Q8_0 -o "$W/out.gguf"
