# usage: headers.sh DIR SCALE_BYTES [NAME]: a folder that says compressed-tensors W4 symmetric, with one module of two tensors
# (weight_packed, weight_scale = one float32 of these escaped bytes) and, if NAME is given, a third one.
set -eu
mkdir -p "$1"
sed 's/^{/{"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized","quantization_status":"compressed","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":4,"type":"int","strategy":"group","group_size":128}}}},/' models/market/config.json > "$1/config.json"
third=${3:+,\"m.${3:-}\":\{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[8,12]\}}
head=$(printf '{"m.weight_packed":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"m.weight_scale":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}%s}' "$third")
n=${#head}
{ printf "\\x$(printf %02x $((n % 256)))\\x$(printf %02x $((n / 256)))\0\0\0\0\0\0%s" "$head"; printf '\1\2\3\4'; printf "$2"; [ -z "${3:-}" ] || printf '\0\0\0\0'; } > "$1/model.safetensors"
