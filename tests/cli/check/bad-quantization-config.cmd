sed "s/^{/{\"quantization_config\":{\"quant_method\":\"gptq\"},/" models/market/config.json > "$W/config.json"; $Q check "$W/config.json"
