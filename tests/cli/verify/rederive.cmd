# an artifact made again from its source and its recipe, byte for byte; a sample says what it can have missed
Z=tests/golden/zoo/qwen3
$Q quantize $Z --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null
$Q verify $W/a.gguf --rederive all --source $Z
$Q verify $W/a.gguf --rederive 10% --source $Z --seed 3
