# what more windows buy, on the same tokens; the knee is marked
M=models/market
$Q calibrate $M --data $M/calibration.jsonl --text $M/eval.jsonl --sweep 8,1 --seq-len 64 --windows 4 --scheme gptq:w3g64 --accept CAL-COUNT,CAL-RANK,CAL-LEN -q > $W/o.txt 2> $W/e || cat $W/e
awk '/jsonl/ { print $1, $2, $3 } /^Change/' $W/o.txt; grep -c knee $W/o.txt
$Q calibrate $M --data $M/calibration.jsonl --text $M/eval.jsonl --sweep 8,8 2>&1
$Q calibrate $M --data $M/calibration.jsonl --text $M/eval.jsonl --sweep 8,x 2>&1
$Q calibrate $M --data $M/calibration.jsonl --sweep 8,4 2>&1
$Q calibrate $M --data $M/calibration.jsonl --sweep 8,4 --compare-data x
