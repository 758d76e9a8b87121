# two data sets, two methods
M=models/market; a="--accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-LANG,CAL-DUP --seq-len 64 --samples 4 --windows 4 -q"
$Q calibrate $M --data $M/calibration.jsonl --compare-data $M/calibration-fr.jsonl --text $M/eval.jsonl $a > $W/o.txt 2> $W/e || cat $W/e
awk '/jsonl/ { print $1, $2, $3 } /^Change/' $W/o.txt
mkdir $W/t; TMPDIR=$W/t $Q calibrate $M --data $M/calibration.jsonl --compare-data $M/calibration-fr.jsonl --text $M/eval.jsonl $a --scheme gptq --json 2> $W/e | grep -o '"data":"[^"]*"'; ls $W/t | wc -l
