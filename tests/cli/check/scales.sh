# usage: scales.sh DIR QUANTIZATION_CONFIG SCALE_NAME Q_BYTES K_BYTES: a folder whose q_proj and k_proj have a scale of one float32
# (escaped bytes) each, beside packed codes of one word.
set -eu
mkdir -p "$1"
sed "s/^{/{\"quantization_config\":$2,/" models/market/config.json > "$1/config.json"
m=model.layers.0.self_attn
head="{\"$m.q_proj.$3\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"$m.k_proj.$3\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},\"$m.q_proj.weight_packed\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[8,12]}}"
n=${#head}
{ printf "\\x$(printf %02x $((n % 256)))\\x$(printf %02x $((n / 256)))\0\0\0\0\0\0%s" "$head"; printf "$4"; printf "$5"; printf '\1\2\3\4'; } > "$1/model.safetensors"
