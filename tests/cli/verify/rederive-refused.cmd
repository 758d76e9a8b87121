# each in one line: no source, no share, no recipe, data that the recipe has none of, a converted file
Z=tests/golden/zoo/qwen3
$Q quantize $Z --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null; $Q convert $W/a.gguf --to gguf:F16 -o $W/c.gguf -q > /dev/null
$Q verify $W/a.gguf --rederive all 2>&1
$Q verify $W/a.gguf --rederive 0% --source $Z 2>&1
$Q verify $W/a.gguf --rederive 5 --source $Z 2>&1
$Q verify $Z --rederive all --source $Z 2>&1
$Q verify $W/a.gguf --rederive all --source $Z --calib x.jsonl 2>&1
$Q verify $W/c.gguf --rederive all --source $W/a.gguf
