# settings that say static over a file without scales of inputs: dynamic without data, computed with
. tests/cli/convert/faulty.sh; make_folder ct:fp8_dynamic "$W/m"; mkdir "$W/bad"; cp "$W"/m/* "$W/bad"; sed -i 's/"dynamic": true/"dynamic": false/; s/"strategy": "token"/"strategy": "tensor"/' "$W/bad/config.json"
said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out"; said "$W/out"; $Q convert "$W/bad" --repair $calib -o "$W/out2" -q; said "$W/out2"; grep -A4 repair_calibration "$W/out2/quantz-manifest.json"
cmp "$W/m/model.safetensors" "$W/out/model.safetensors" && echo "weights as they were"; for o in out out2; do $Q inspect "$W/$o" -q | grep -i W8A8 | head -2; done
