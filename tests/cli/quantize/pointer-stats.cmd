# --stats is a Git LFS pointer
$Q quantize models/market --to awq --stats tests/golden/cases/27-git-lfs-pointer/lfs.gguf -o "$W/out"
