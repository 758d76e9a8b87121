# each claim asked for with its verdict; the second run uses what stands there; text, Markdown and JSON agree
M=models/market; set -- --calib $M/calibration.jsonl --text $M/eval.jsonl --windows 40 --no-bench --only C-195,C-198,C-201,C-203,C-206,C-207 -o $W/out
$Q claims $M "$@" > $W/a.txt 2> /dev/null; awk -F'  +' '/^C-/ { print $1 }' $W/a.txt; tail -1 $W/a.txt
ls $W/out | grep -v manifest; grep -c '^| C-' $W/out/claims.md
$Q claims $M "$@" --resume --json 2> $W/e > $W/b.json; grep -c 'already finished' $W/e; cmp $W/b.json $W/out/claims.json && echo "the same JSON"
sed 's/"figures".*//' $W/b.json | grep -o '"id":"[^"]*"\|"verdict":"[^"]*"' | paste - - 
