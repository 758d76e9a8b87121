cp tests/golden/zoo/llama/*.json tests/golden/zoo/llama/model-00001* "$W"; $Q inspect "$W"
