# R2 rests when the parts share their global scale
set -o pipefail; bash tests/cli/check/scales.sh "$W/m" '{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":4,"type":"float","group_size":16}}}}' weight_global_scale "\0\0\243\104" "\0\0\243\104"; $Q check "$W/m" --engine vllm | grep -c PRE-FUSED
