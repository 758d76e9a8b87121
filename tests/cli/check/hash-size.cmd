set -o pipefail; $Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null 2>&1; printf x >> "$W/m.gguf"; $Q check "$W/m.gguf" | grep -A3 CHK
