# model.safetensors is a Git LFS pointer or a server's page (transformers#27923)
$Q inspect tests/golden/cases/27-git-lfs-pointer/html
