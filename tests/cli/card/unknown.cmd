# nothing recorded, nothing measured; what has no row in the report; a report that is none
$Q card tests/golden/zoo/qwen3 | grep -E 'UNKNOWN|^#|not recorded|Nothing'
echo '{"rows": []}' > $W/r.json; $Q card tests/golden/zoo/qwen3 --report $W/r.json 2>&1
$Q card $W/none 2>&1
$Q card tests/golden/zoo/qwen3 -o $W/out.md && $Q card tests/golden/zoo/qwen3 -o $W/out.md 2>&1 | sed 's/out.md/x/'
