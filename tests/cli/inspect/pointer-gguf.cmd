# the same for GGUF
$Q inspect tests/golden/cases/27-git-lfs-pointer/lfs.gguf
