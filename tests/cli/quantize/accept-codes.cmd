# Codes that do not exist are not taken in silence.
"$Q" quantize tests/golden/zoo/llama --to gguf:F32 -o $W/out.gguf -q --accept "MOD-KEYS , MOD-UNUSD"
