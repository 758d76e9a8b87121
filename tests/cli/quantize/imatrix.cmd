$Q quantize models/market --to gguf:Q4_K_M --imatrix tests/golden/artifacts/market.imatrix.gguf -o "$W/out.gguf" -q && $Q inspect "$W/out.gguf" | grep -i imatrix
