M=models/market
try() { $Q claims "$@" -q > /dev/null 2> $W/e; echo $?; tail -1 $W/e | sed "s#$W#W#g"; }
try $M --text $M/eval.jsonl
try $M --calib $M/calibration.jsonl
try $M --calib $M/calibration.jsonl --text $M/eval.jsonl --only C-197,C-999
try $M --calib $M/calibration.jsonl --text $M/eval.jsonl --only T-1
try $M --calib $M/calibration.jsonl --text $M/eval.jsonl --only C-206 --memory much
mkdir $W/d; echo mine > $W/d/claims.md
try $M --calib $M/calibration.jsonl --text $M/eval.jsonl --only C-198 -o $W/d; cat $W/d/claims.md
