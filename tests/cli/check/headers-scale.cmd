set -o pipefail; bash tests/cli/check/headers.sh "$W/m" "\0\0\300\177"; $Q check "$W/m" | grep -A1 CHK-SCALE
