# a NaN in a middle weight
mkdir "$W/m"; cp models/market/*.json "$W/m"; cp models/market/model.safetensors "$W/m"; printf "\300\177" | dd of="$W/m/model.safetensors" bs=1 seek=6000008 conv=notrunc status=none; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
