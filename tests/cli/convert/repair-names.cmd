# names of older tools; a family that does not run here
. tests/cli/convert/faulty.sh; make_folder ct:fp8+kv "$W/m" $calib; cp -r "$W/m" "$W/bad"
names "$W/bad/model.safetensors" 's/self_attn.\([kv]\)_scale/self_attn.\1_proj.output_scale/g; s/input_scale/activation_scale/g'
said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out" -q; said "$W/out"; cmp "$W/m/model.safetensors" "$W/out/model.safetensors" && echo "as it was"
sed -i 's/"model_type": "[a-z0-9_]*"/"model_type": "other"/; s/"architectures": \[/&"OtherForCausalLM", /' "$W/bad/config.json"; $Q convert "$W/bad" --repair -o "$W/out2" -q | grep -A2 '^W\|not opened'; cmp "$W/m/model.safetensors" "$W/out2/model.safetensors" && echo "as it was"
