# An importance matrix that is there is no output, and neither is a folder.
try() { "$Q" calibrate tests/golden/zoo/llama --data nothing.jsonl -o $W/c.stats "$@" -q > $W/log 2>&1; echo "$? $(grep '^quantz: error' $W/log)"; }
echo mine > $W/mine.md; mkdir $W/im
try --imatrix $W/mine.md; try --imatrix $W/im -f
cat $W/mine.md; ls $W
