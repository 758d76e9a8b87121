# five ids end a text: three have GGUF keys, all stand in our own
C=tests/golden/cases/11-second-eos-lost-in-gguf/src; cp -r $C "$W/m"; chmod -R u+w "$W/m"; echo '{"eos_token_id": [2, 7, 8, 9, 3]}' > "$W/m/generation_config.json"
$Q quantize "$W/m" --to gguf:F16 -o "$W/m.gguf" > /dev/null; $Q run "$W/m.gguf" --raw -p hi -n 12 --json -q | sed 's/,"ttft.*//'
