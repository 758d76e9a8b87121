# The default scores every text; a number limits them, also the number that limits the windows of a text.
for i in $(seq 1 70); do echo "{\"ids\":[1,2,$i,$((i + 1)),7]}"; done > $W/many.jsonl
for n in 59 60 61 0 auto; do "$Q" eval tests/golden/zoo/llama --text $W/many.jsonl -q --windows $n | grep -o '[0-9]* texts'; done
"$Q" eval tests/golden/zoo/llama --text $W/many.jsonl -q | grep -o '[0-9]* texts'
"$Q" eval tests/golden/zoo/llama --text $W/many.jsonl -q --windows some
