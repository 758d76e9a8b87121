set -o pipefail; echo "{\"rows\":[{\"artifact\":\"x.gguf\",\"container\":\"gguf v3\",\"bytes\":5}]}" > "$W/r.json"; $Q check models/market --report "$W/r.json" | grep -A2 CHK
