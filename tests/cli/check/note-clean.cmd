echo "GGUF Q4_K_M (4-bit) without imatrix, 20 GPU layers, llama.cpp; W4A16, float32 accumulators, f16 KV cache" > "$W/design.md"; $Q check models/market --note "$W/design.md" | tail -1
