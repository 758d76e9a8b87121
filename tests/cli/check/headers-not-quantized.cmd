# U-09: the saved model is not quantized at all
set -o pipefail; mkdir "$W/m"; cp models/market/model.safetensors "$W/m"; bash tests/cli/check/headers.sh "$W/x" "\0\0\200\77"; cp "$W/x/config.json" "$W/m"; $Q check "$W/m" | grep -A1 CHK-STRAY
