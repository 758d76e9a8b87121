echo "{\"model_type\":\"mymodel\",\"auto_map\":{\"AutoModelForCausalLM\":\"m.M\"}}" > "$W/config.json"; $Q check "$W/config.json"
