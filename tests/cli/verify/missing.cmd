$Q verify "$W/none.gguf"
