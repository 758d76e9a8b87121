$Q inspect tests/golden/formats/bad/version1.gguf
