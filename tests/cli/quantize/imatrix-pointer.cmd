# the importance matrix is a pointer
$Q quantize models/market --to gguf:Q4_K_M --imatrix tests/golden/cases/27-git-lfs-pointer/lfs.gguf -o "$W/out.gguf"
