# ModelOpt's tensors under the settings of compressed-tensors: names, and the reciprocal of every tensor scale
. tests/cli/convert/faulty.sh; make_folder ct:nvfp4 "$W/m" $calib; $Q convert "$W/m" --to modelopt:nvfp4 -o "$W/bad" -q > /dev/null; rm "$W/bad/hf_quant_config.json" "$W/bad/quantz-manifest.json"
cp "$W/m/config.json" "$W/bad/"; said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out"; said "$W/out"; $Q diff "$W/m" "$W/out" | tail -2
# the other way round: the settings of ModelOpt over tensors of compressed-tensors, names put right by hand
$Q convert "$W/m" --to modelopt:nvfp4 -o "$W/bad2" -q > /dev/null; rm "$W/bad2/quantz-manifest.json"; cp "$W/m/model.safetensors" "$W/bad2/"
names "$W/bad2/model.safetensors" 's/weight_packed/weight/g; s/weight_global_scale/weight_scale_2/g; s/input_global_scale/input_scale/g'
said "$W/bad2"; $Q convert "$W/bad2" --repair -o "$W/out2" | head -5; said "$W/out2"; $Q diff "$W/m" "$W/out2" | tail -2
