set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja "$W/m"; sed -i "s/Qwen3ForCausalLM/LlamaForCausalLM/" "$W/m/config.json"; $Q check "$W/m" | grep -A3 CHK
