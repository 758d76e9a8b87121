# R3: scales by tensor that differ inside a fused layer are requantized on load
set -o pipefail; bash tests/cli/check/scales.sh "$W/m" '{"quant_method":"fp8","activation_scheme":"dynamic"}' weight_scale "\0\0\0\77" "\0\0\200\76"; $Q check "$W/m" --engine vllm --json | grep '"code":"PRE-FUSED-SCALE"'
