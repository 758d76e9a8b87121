# the main job with small settings; the figures are left to tests/interop and docs/benchmarks.md
head -6 models/market/eval.jsonl > "$W/e.jsonl"; $Q release models/market --to gguf:Q4_K_M,gguf:Q8_0 --text "$W/e.jsonl" --tasks models/market/tasks.jsonl --max-tasks 8 --repeats 1 -o "$W/out" -q > "$W/table" || exit $?
widest=$(wc -L < "$W/table"); [ "$widest" -le 80 ] || echo "the table takes $widest columns"
sed -E "s/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g; s/-+/-/g" "$W/table" | grep -v "^N thr\|^Machine\|CPU\|Xeon\|AMD\|Intel\|N\.N\.$"; (cd "$W/out" && find . -type f | sort)
