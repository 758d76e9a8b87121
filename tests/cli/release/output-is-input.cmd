# case 01: the folder of a release may hold its inputs, but no file of the release replaces one
cp -r tests/golden/cases/01-output-is-input/src "$W/src"; cd "$W" || exit 9
mkdir d; cp "$OLDPWD/models/market/tasks.jsonl" d/report.json; cp d/report.json d/src.Q8_0.gguf.card.md; cp "$OLDPWD/models/market/calibration.jsonl" d/calibration.partial.stats
t() { "$Q" release "$@" --to gguf:Q8_0 -f -q 2>&1; echo "rc $?"; }
t src --tasks d/report.json -o d
t src --text d/src.Q8_0.gguf.card.md -o d
t src --calib d/calibration.partial.stats -o d
t src -o src
t src -o src/config.json
t missing -o e/f
ls . d
