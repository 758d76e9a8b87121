# A file of the user's under a name that release writes: refused before any work.
mkdir $W/r; echo mine > $W/r/report.md
"$Q" release models/market --to gguf:Q8_0 --calib models/market/calibration.jsonl --no-bench -o $W/r -q > $W/log 2>&1; echo "$?"; grep '^quantz: error' $W/log; cat $W/r/report.md
rm $W/r/report.md; echo mine > $W/r/calibration.partial.stats
"$Q" release models/market --to gguf:Q8_0 --calib models/market/calibration.jsonl --no-bench -o $W/r -q
