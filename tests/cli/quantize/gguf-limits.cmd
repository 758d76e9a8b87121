# what llama.cpp's loader of an architecture cannot take is refused, not written: every case by name
edit() { mkdir -p "$W/$2"; cp tests/golden/zoo/"$1"/*.safetensors "$W/$2"; sed "$3" tests/golden/zoo/"$1"/config.json > "$W/$2/config.json"; }
edit gemma2 a 's/"attn_logit_softcapping": 20.0/"attn_logit_softcapping": null/'
edit qwen3 b 's/"rope_type": "default"/"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64/'
edit phi3 c 's/"rope_type": "longrope"/"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4/; s/"sliding_window": 40/"sliding_window": null/'
edit gemma3 d 's/xx/xx/'
edit qwen3_moe e 's/xx/xx/'
for m in a b c d e; do "$Q" quantize "$W/$m" --to gguf:Q8_0 --search compat -o "$W/$m.gguf" -q 2> "$W/err"; echo "exit $?"; sed 's/^quantz: error/refused/' "$W/err"; [ -e "$W/$m.gguf" ] && echo "left $m.gguf"; done
exit 0
