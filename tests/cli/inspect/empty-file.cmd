$Q inspect tests/golden/formats/bad/empty.gguf
