# chat_template.jinja is a Git LFS pointer: the template of the artifact would be the pointer
cp -r models/market "$W/m"; cp tests/golden/cases/27-git-lfs-pointer/lfs.gguf "$W/m/chat_template.jinja"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
