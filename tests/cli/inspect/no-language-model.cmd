# an adapter, a diffusion folder, a folder without a family, an importance matrix in GGUF: shown by all three
B=tests/golden/cases/text-model; mkdir "$W/adapter" "$W/diffusion" "$W/bert"; cp $B/model.safetensors "$W/adapter/adapter_model.safetensors"; cp $B/model.safetensors "$W/diffusion/diffusion_pytorch_model.safetensors"; cp $B/model.safetensors "$W/bert"
echo '{"peft_type": "LORA"}' > "$W/adapter/adapter_config.json"; echo '{"_class_name": "UNet2DConditionModel"}' > "$W/diffusion/config.json"; echo '{"model_type": "bert", "hidden_act": "gelu"}' > "$W/bert/config.json"
LC_ALL=C sed 's/\(general.type.\{12\}\)model/\1lora!/; s/llama.block_count/llama.lora_rank__/' tests/golden/cases/17-rope-scale_linear/old-key.gguf > "$W/lora.gguf"
for m in adapter diffusion bert lora.gguf; do for v in inspect verify plan; do $Q $v "$W/$m" > "$W/o" 2>&1; echo "$m $v $? $(grep -E 'runs |structure' "$W/o")"; done; done
$Q inspect "$W/adapter" --tensors | head -3; $Q quantize "$W/bert" --to gguf:F16 -o "$W/out.gguf"
