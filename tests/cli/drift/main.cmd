# a trained adapter on 4 bits: as it is, fitted (KL lower, at the same rank), merged first; the folder is PEFT's and opens again
A=tests/golden/drift/market-fr; head -12 $A.eval.jsonl > $W/t.jsonl
$Q quantize models/market --to gguf:Q4_0 --search compat -o $W/q.gguf -q > /dev/null 2>&1
$Q drift --lora $A --base models/market --on $W/q.gguf --text $W/t.jsonl --calib $A.calibration.jsonl --merged -o $W/out > $W/o.txt 2> /dev/null
cut -c1-42 $W/o.txt | head -6; grep -o '42 pairs of the same rank, 0 kept' $W/o.txt; grep -o 'Advice: [a-z ]*' $W/o.txt; ls $W/out; cmp $W/out/adapter_config.json $A/adapter_config.json && echo "the same configuration"
$Q drift --lora $A --base models/market --on $W/q.gguf --text $A.eval.jsonl --calib $A.calibration.jsonl --json 2> /dev/null > $W/b.json
kl() { sed -E "s/.*\"$2\":\{\"kl\":\{\"value\":([0-9.e-]+),.*/\1/" $1; }
awk -v a="$(kl $W/b.json artifact_with_adapter)" -v f="$(kl $W/b.json artifact_with_fitted_adapter)" 'BEGIN { print (a > 0 && f < 0.7 * a ? "KL at least 30 % lower" : "KL " a " " f) }'
$Q merge models/market $W/out -o $W/m -q > /dev/null 2>&1 && $Q verify $W/m 2> /dev/null | tail -1 | awk '{ print $1, $2 }'
