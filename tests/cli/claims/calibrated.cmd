# GPTQ and AWQ as the libraries make them, on few windows; a claim about more data than there are is not measured
M=models/market
$Q claims $M --calib $M/calibration.jsonl --samples 4 --seq-len 64 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG --text $M/eval.jsonl --windows 20 --tasks $M/tasks.jsonl --max-tasks 8 --no-bench --only C-194,C-196,C-197,C-200,C-202,C-204,C-205,C-209 --json 2> /dev/null | sed 's/"figures".*//' | grep -o '"id":"[^"]*"\|"verdict":"[^"]*"' | paste - - | grep -v C-209
