$Q explain gguf
