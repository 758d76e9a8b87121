# tokenizer.json is a page
cp -r tests/golden/cases/11-second-eos-lost-in-gguf/src "$W/m"; chmod -R u+w "$W/m"; cp tests/golden/cases/27-git-lfs-pointer/html/model.safetensors "$W/m/tokenizer.json"; $Q inspect "$W/m"
