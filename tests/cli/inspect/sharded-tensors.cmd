$Q inspect tests/golden/zoo/llama --tensors
