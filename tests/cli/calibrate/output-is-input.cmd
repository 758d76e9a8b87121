# case 01: statistics and importance matrix never replace what was read
cp -r tests/golden/cases/01-output-is-input/src "$W/src"; cp tests/golden/cases/01-output-is-input/data.jsonl "$W/"
cd "$W" || exit 9
before=$(cat src/* data.jsonl | sha256sum)
t() { "$Q" calibrate src --data data.jsonl --accept CAL-RANK,CAL-COUNT,CAL-DUP --seq-len 64 -f -q "$@" 2>&1; echo "rc $?"; }
t -o data.jsonl
t -o src/config.json
t -o s.stats --imatrix src/tokenizer.json
t -o s.stats --imatrix data.jsonl
t -o s.stats --imatrix s.stats
[ "$before" = "$(cat src/* data.jsonl | sha256sum)" ] && ls
t -o new/folder/s.stats --imatrix other/m.dat | tail -1; ls new/folder other
