# 131072 in bfloat16
set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja models/market/model.safetensors "$W/m"; printf "\000\110" | dd of="$W/m/model.safetensors" bs=1 seek=6000008 conv=notrunc status=none; $Q check "$W/m" | grep -A3 CHK
