set -o pipefail; mkdir "$W/m"; cp tests/golden/zoo/llama/*.json tests/golden/zoo/llama/model-00002* "$W/m"; $Q check "$W/m" | grep CHK
