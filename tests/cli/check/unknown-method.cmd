set -o pipefail; sed "s/^{/{\"quantization_config\":{\"quant_method\":\"quip\",\"bits\":4},/" models/market/config.json > "$W/config.json"; $Q check "$W/config.json" | grep -A4 "CHK\|PRE"
