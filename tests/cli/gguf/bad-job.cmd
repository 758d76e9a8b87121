$Q gguf sett model.gguf
