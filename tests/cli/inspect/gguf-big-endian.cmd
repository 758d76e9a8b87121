$Q inspect tests/golden/formats/bad/big-endian.gguf
