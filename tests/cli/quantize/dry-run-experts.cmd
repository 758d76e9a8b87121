# a stack of experts is one tensor of a GGUF file, and several of a folder
$Q quantize tests/golden/zoo/mixtral --to gguf:Q4_K_M -o "$W/m.gguf" --dry-run | grep -E "_exps|experts of|note:|tensors$"
$Q quantize tests/golden/zoo/mixtral --to gguf:Q4_K_M -o "$W/m.gguf" --dry-run --json | grep -c exps
$Q quantize tests/golden/zoo/mixtral --to bnb:nf4 -o "$W/m" --dry-run | grep -c experts
