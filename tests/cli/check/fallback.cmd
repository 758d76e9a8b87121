# U-19
set -o pipefail; $Q quantize tests/golden/zoo/qwen2 --to gguf:Q4_K_M -o "$W/m.gguf" -q > /dev/null 2>&1; $Q check "$W/m.gguf" | grep -A2 "CHK\|PRE"
