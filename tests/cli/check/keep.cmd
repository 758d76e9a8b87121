# a tied embedding in 4 bits
set -o pipefail; $Q quantize models/market --to gguf:Q4_0+pure -o "$W/m.gguf" -q > /dev/null 2>&1; $Q check "$W/m.gguf" | grep -A1 CHK
