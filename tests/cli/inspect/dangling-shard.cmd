# a shard that is a link to nothing
mkdir "$W/m"; cp tests/golden/cases/text-model/config.json "$W/m"; ln -s ../blobs/01 "$W/m/model-00001-of-00001.safetensors"
printf '{"metadata":{},"weight_map":{"model.embed_tokens.weight":"model-00001-of-00001.safetensors"}}' > "$W/m/model.safetensors.index.json"; $Q inspect "$W/m"
