# What a mixer that is no attention over keys is made of: latent attention, gated delta nets; numbers that make no angle are refused
for f in deepseek_v3 qwen3_next; do $Q inspect tests/golden/zoo/$f | grep -E -A1 'latent|delta net'; $Q inspect tests/golden/zoo/$f --json | grep -oE '"(latent|delta_net)":[^}]*}'; done
mkdir "$W/m"; cp tests/golden/zoo/deepseek_v3/model.safetensors "$W/m"; sed 's/"factor": 8.0/"factor": 0/' tests/golden/zoo/deepseek_v3/config.json > "$W/m/config.json"
$Q run "$W/m" -p '5 6' --max-new 1
