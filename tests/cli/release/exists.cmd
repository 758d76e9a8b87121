mkdir "$W/d"; echo old > "$W/d/market.Q8_0.gguf"; $Q release models/market --to gguf:Q8_0 -o "$W/d"; code=$?; ls "$W/d"; exit $code
