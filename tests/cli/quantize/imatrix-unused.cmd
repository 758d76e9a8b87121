# case 04's kind: a matrix that no tensor of the level uses is not recorded; beside statistics the matrix is what is used and recorded
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --sigma 0.05 > /dev/null; cp tests/golden/cases/03-imatrix-all-zero/count-zero.gguf "$W/i.gguf"; cd "$W" || exit 9
printf '{"ids":[%s]}\n' "$(seq -s, 1 64)" > ids.jsonl; $Q calibrate m --data ids.jsonl --accept CAL-RANK,CAL-COUNT,CAL-DUP --seq-len 32 -o s.stats -q > /dev/null 2>&1
sha256sum < i.gguf
t() { rm -rf o o.*; "$Q" quantize m -o o -q "$@" 2>&1 | grep -E 'warning: .*(import|statis)'; "$Q" inspect o | grep calibration_sha256; grep -ac quantize.imatrix.file o; }
t --to gguf:Q8_0 --imatrix i.gguf
t --to gguf:Q4_K_M --imatrix i.gguf
t --to gguf:Q4_K_M --imatrix i.gguf --stats s.stats
t --to gguf:Q4_K_M --stats s.stats
