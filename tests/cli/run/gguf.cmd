$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null; $Q run "$W/m.gguf" -q -p "$(printf "Convert temperature.\n\n75 F")"
