$Q gguf set "$W/none.gguf"
