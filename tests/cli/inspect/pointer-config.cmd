# config.json is a pointer
mkdir "$W/m"; cp models/market/model.safetensors "$W/m"; cp tests/golden/cases/27-git-lfs-pointer/lfs.gguf "$W/m/config.json"; $Q inspect "$W/m"
