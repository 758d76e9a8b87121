# source B's candidates, by accuracy and memory, and by p95 as well; a reason for every rejection (C-175 to C-177)
T='{"candidates":[{"name":"FP16","accuracy":0.93,"memory_gb":14.0,"p95_ms":70},{"name":"AWQ-4bit","accuracy":0.92,"memory_gb":4.1,"p95_ms":49},{"name":"GPTQ-3bit","accuracy":0.85,"memory_gb":3.2,"p95_ms":43}]}'
echo "$T" > "$W/t.json"; echo '{"min_accuracy": 0.90, "max_memory_gb": 8.0}' > "$W/r.json"; echo '{"min_accuracy": 0.90, "max_memory_gb": 8.0, "max_p95_ms": 60}' > "$W/p.json"
$Q gate "$W/t.json" --rules "$W/r.json" | sed 's/sha256.*/sha256 …/'; $Q gate "$W/t.json" --rules "$W/p.json" | tail -1; $Q gate "$W/t.json" --rules "$W/p.json" --json | tail -12
$Q gate "$W/t.json" --rules "$W/p.json" --all > /dev/null
