# nothing that --repair mends, and values that are none: a channel's scale of 1e37, an MX exponent of 254, also of a family that does not run here
. tests/cli/convert/faulty.sh
make() { "$Q" quantize tests/golden/zoo/llama --to "$1" --search compat -o "$W/$2" -q > "$W/log" 2>&1; rm "$W/$2/quantz-manifest.json"; put "$W/$2/model.safetensors" model.layers.0.self_attn.q_proj.weight_scale "$3"; }
make ct:fp8_dynamic a '\0\175'; make ct:mxfp4 b '\376\376'
for m in a b a b; do
  "$Q" convert "$W/$m" --repair -o "$W/out" 2>&1 | sed "s#$W#W#g"; echo "${PIPESTATUS[0]}"; "$Q" verify "$W/$m" -q 2> "$W/log" | grep FAILED; sed -i 's/"llama"/"lstmx"/' "$W/$m/config.json"
done
