# a bound on memory: several passes over a layer, the same file; too little is refused with what it takes
for i in 1 2 3 4 5 6 7 8; do echo "{\"ids\": [$((i + 4)), $((3 * i)), 17, $((250 - i)), 61, 8, $((i * i + 3)), 99, 100, 5, 77, $((200 - 7 * i)), 31, 43]}"; done > "$W/ids.jsonl"
go() { $Q calibrate tests/golden/zoo/qwen3_moe-sparse --data "$W/ids.jsonl" --seq-len 14 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG "$@" 2>&1 > /dev/null | grep -E 'ram|error' | sed "s#$W#W#g"; }
go -o "$W/a.stats"; least=$(go --ram 1MiB -o "$W/b.stats" | grep -o 'at least [0-9]*' | tr -dc 0-9)
go --ram 1MiB -o "$W/b.stats"; go --ram ${least}MiB -o "$W/b.stats"; cmp "$W/a.stats" "$W/b.stats" && echo the same
