# R17: vLLM stops at a zero point that a symmetric file should not have
set -o pipefail; bash tests/cli/check/headers.sh "$W/m" "\0\0\200\77" weight_zero_point; $Q check "$W/m" | grep -A1 CHK-STRAY
