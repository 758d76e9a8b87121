# a server's one-line answer instead of the weights
mkdir "$W/m"; cp tests/golden/cases/text-model/config.json "$W/m"; printf 'Entry not found' > "$W/m/model.safetensors"; $Q inspect "$W/m"
