# scales of the cache that are all 1, or missing
. tests/cli/convert/faulty.sh; make_folder ct:fp8_dynamic+kv "$W/m" $calib; cp -r "$W/m" "$W/bad"
for l in 0 1 2 3 4 5; do for t in k v; do put "$W/bad/model.safetensors" model.layers.$l.self_attn.${t}_scale '\0\0\200\77'; done; done
said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out" -q; said "$W/out"; grep kv_cache_scheme "$W/out/config.json"; $Q convert "$W/bad" --repair $calib -o "$W/out2" -q | head -4; said "$W/out2"
make_folder ct:fp8_dynamic "$W/none"; cp "$W/m/config.json" "$W/none/"; said "$W/none"; $Q convert "$W/none" --repair $calib -o "$W/out3" -q | head -4; said "$W/out3"
