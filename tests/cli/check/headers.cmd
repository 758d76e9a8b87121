# a format that this program does not read is judged by its headers
set -o pipefail; bash tests/cli/check/headers.sh "$W/m" "\0\0\200\77"; $Q check "$W/m" --engine vllm | grep -A1 "CHK\|PRE"
