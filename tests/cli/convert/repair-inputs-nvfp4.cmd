# NVFP4 without input_global_scale, and ModelOpt without input_scale: inputs in 16 bits, or computed; FP8 of ModelOpt has no such level
. tests/cli/convert/faulty.sh; make_folder modelopt:nvfp4a16 "$W/m"; sed -i 's/W4A16_NVFP4/NVFP4/' "$W/m/config.json" "$W/m/hf_quant_config.json"
said "$W/m"; $Q convert "$W/m" --repair -o "$W/out" | head -5; said "$W/out"; grep -h quant_algo "$W"/out/*.json; $Q convert "$W/m" --repair $calib -o "$W/out2" -q | head -5; said "$W/out2"
make_folder modelopt:fp8 "$W/f" $calib; names "$W/f/model.safetensors" 's/self_attn.k_proj.input_scale/self_attn.q_scale/g'; said "$W/f"; $Q convert "$W/f" --repair -o "$W/out3" 2>&1; $Q convert "$W/f" --repair $calib -o "$W/out4" -q | head -2; said "$W/out4"; ls "$W"
