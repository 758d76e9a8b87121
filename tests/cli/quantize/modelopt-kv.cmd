# scales of an FP8 cache as ModelOpt exports them: names, shapes, settings of both files; the same numbers as of ct; what reads them
bash tests/cli/ids.sh 8 32 > "$W/ids.jsonl"; . tests/cli/convert/faulty.sh
make() { "$Q" quantize tests/golden/zoo/llama --to "$1" --search compat --calib "$W/ids.jsonl" --seq-len 32 --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP -o "$W/$2" -q > "$W/log" 2>&1 && rm "$W/$2/quantz-manifest.json"; }
scale() { local a; a=$(at "$W/$1/model.safetensors" "$2"); tail -c +$((${a% *} + 1)) "$W/$1/model.safetensors" | head -c 4 | od -An -tx4; }
make modelopt:nvfp4+kv m; make ct:nvfp4+kv c
grep -ao '"[^"]*_proj.[kv]_scale":{"dtype":"[^"]*","shape":[^,]*' "$W/m/model.safetensors"
for w in k v; do [ "$(scale m model.layers.1.self_attn.${w}_proj.${w}_scale)" = "$(scale c model.layers.1.self_attn.${w}_scale)" ] && echo same; done
for f in config hf_quant_config; do tr -d '\n ' < "$W/m/$f.json" | grep -oE '"kv_cache_(quant_algo":[^,]*|scheme":\{[^}]*\})'; done
"$Q" verify "$W/m" -q 2> "$W/log" | grep -o 'scales of an FP8 cache [0-9]*'; "$Q" explain launch "$W/m" --engine vllm 2> "$W/log" | grep -o 'kv-cache-dtype.*'
put "$W/m/model.safetensors" model.layers.0.self_attn.v_proj.v_scale '\0\0\200\277'; said "$W/m"; "$Q" convert "$W/m" --repair -n -o "$W/out" -q | grep -o 'CHK-CACHE: .*'
"$Q" quantize tests/golden/zoo/llama --to modelopt:fp8+kv_heads -o "$W/out"
