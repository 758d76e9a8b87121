cp -r tests/golden/lora/llama-plain "$W/a"; $Q merge tests/golden/zoo/llama "$W/a:2" -o "$W/a" --force; code=$?; ls "$W/a" | head -3; exit $code
