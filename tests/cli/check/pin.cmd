# R27: 6-bit packing is younger than many installations
set -o pipefail; bash tests/cli/check/headers.sh "$W/m" "\0\0\200\77"; sed -i 's/"num_bits":4/"num_bits":6/' "$W/m/config.json"; $Q check "$W/m" --engine transformers | grep -A3 PRE-PIN
