# the topic's table of the user's model; a model without groups of 128; --model where nothing reads it
$Q explain granularity --model models/market 2> /dev/null
$Q explain levels --model models/market 2> /dev/null
for a in "granularity --model tests/golden/zoo/qwen3_moe-sparse" "granularity --model nowhere" "quant --model models/market" "--model models/market"; do $Q explain $a 2>&1 | tail -1; done
