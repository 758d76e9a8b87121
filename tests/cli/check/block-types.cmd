# rows of 64: a note about K types, none about a type whose blocks fit; a family that only the plan knows is refused by quantize, and check says so
$Q check tests/golden/zoo/mixtral --to gguf:Q8_0 | grep -c PRE-BLOCK; $Q check tests/golden/zoo/mixtral --to gguf:Q4_K_M | grep PRE-BLOCK
cp -r tests/golden/zoo/gemma3 "$W/w"; sed 's/"model_type": *"[a-z0-9_]*"/"model_type": "gemma3_text"/' "$W/w/config.json" > "$W/t"; { printf '{"model_type": "gemma3", "text_config": '; cat "$W/t"; echo '}'; } > "$W/w/config.json"
$Q check "$W/w" --to bnb:nf4 2> /dev/null | grep -A1 CHK-WRITE; true
