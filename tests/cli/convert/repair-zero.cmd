# a scale of inputs that is 0: check finds it, --repair without data says what becomes of it, with data computes it
. tests/cli/convert/faulty.sh
make_folder ct:fp8 "$W/bad" $calib; put "$W/bad/model.safetensors" model.layers.0.self_attn.o_proj.input_scale '\0\0'
said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out"; said "$W/out"; $Q convert "$W/bad" --repair $calib -o "$W/out2" -q; said "$W/out2"
$Q doctor models/market "$W/bad" -q 2>&1 | sed "s#$W#W#g"; $Q doctor "$W/out2" models/market 2>&1 | grep order
