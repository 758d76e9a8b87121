# end tokens that are no integers are refused, not skipped
cp -r tests/golden/cases/11-second-eos-lost-in-gguf/src "$W/m"; chmod -R u+w "$W/m"; echo '{"eos_token_id": [2, "3"]}' > "$W/m/generation_config.json"; $Q run "$W/m" --raw -p hi -n 2
