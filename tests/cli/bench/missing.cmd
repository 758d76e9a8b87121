$Q bench "$W/none.gguf"
