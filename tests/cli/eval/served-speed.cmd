# speed with several requests at once: counts; the times are not recorded
for mode in ids chat; do tests/serve/with.sh $mode $Q eval models/market --runtime URL --concurrency 1,4 --json -q | grep -o '"\(concurrency\|requests\|failed\|verified\)":[a-z0-9]*' | tr '\n' ' '; done; echo
