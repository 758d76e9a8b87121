# names are text: a device of a user's own table may hold quotes
printf 'my "big" card\tgpu\t24576\t900\tfp16,int8\t86\t2026-11\tmine\n' > $W/own.tsv
$Q plan llama-3-8b --hardware-file $W/own.tsv --hardware 'my "big" card' --formats awq --json | grep -o '"device":.*"devices"'
$Q plan llama-3-8b --hardware-file $W/own.tsv --hardware 'my "big" card' --formats awq --speed --json | grep -o '"device":.*"capacity_bytes"'
$Q plan --hardware-file $W/own.tsv --hardware 'my "big" card' --formats awq --matrix 7 --json | grep -o '"device":.*"bandwidth'
