$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null; head -c 100000 "$W/m.gguf" > "$W/cut.gguf"; $Q run "$W/cut.gguf" -p x
