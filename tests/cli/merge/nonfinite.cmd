# NaN in the base is the base's, NaN in an adapter the adapter's, and a strength that overflows is said with the adapter
. tests/cli/convert/faulty.sh
cp -r tests/golden/zoo/llama "$W/base"; cp -r tests/golden/lora/llama-plain "$W/ad"; chmod -R u+w "$W"
put "$W/base/model-00002-of-00002.safetensors" model.layers.1.self_attn.q_proj.weight '\300\177'
for v in merge run; do case $v in merge) set -- merge "$W/base" tests/golden/lora/llama-plain -o "$W/out" ;; run) set -- run "$W/base" --lora tests/golden/lora/llama-plain -p '1 2 3' -n 2 ;; esac; "$Q" "$@" -q 2>&1 | tail -1 | sed "s#$W#W#g"; done
"$Q" merge tests/golden/zoo/llama tests/golden/lora/llama-plain:1e38 -o "$W/out" -q 2>&1 | tail -1 | sed "s#$W#W#g"
