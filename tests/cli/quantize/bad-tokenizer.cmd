mkdir "$W/m"; cp models/market/*.json models/market/model.safetensors "$W/m"; sed -i "s/\"ByteLevel\"/\"BiteLevel\"/" "$W/m/tokenizer.json"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
