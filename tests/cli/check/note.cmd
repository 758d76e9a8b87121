set -o pipefail; printf "We deploy the 4-bit model.\nGGUF quantization.\n" > "$W/design.md"; $Q check models/market --note "$W/design.md" | grep -A2 CHK
