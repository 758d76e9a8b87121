# the index names a tensor that no shard holds
cp tests/golden/zoo/llama/*.json tests/golden/zoo/llama/*.safetensors "$W"; sed -i "s/layers\.1\.mlp\.up_proj/layers.1.mlp.upp_proj/" "$W/model.safetensors.index.json"; $Q inspect "$W"
