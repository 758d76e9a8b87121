# k_proj's inputs under another scale than q_proj's; on one and two threads
. tests/cli/convert/faulty.sh; make_folder ct:fp8 "$W/bad" $calib; put "$W/bad/model.safetensors" model.layers.0.self_attn.k_proj.input_scale '\0\77'; put "$W/bad/model.safetensors" model.layers.1.mlp.up_proj.weight_scale '\0\73'
said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out" -t 1; said "$W/out"; $Q convert "$W/bad" --repair -o "$W/out2" -t 2 --json; diff -r "$W/out" "$W/out2" && echo "the same bytes"
