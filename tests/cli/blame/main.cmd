# which matrices the KL comes from; all of them together give the artifact's own KL
$Q quantize models/market --to gguf:Q4_0 --search compat -o $W/a.gguf -q > /dev/null 2>&1
$Q blame $W/a.gguf --against models/market --text models/market/eval.jsonl --windows 2 > $W/out.txt 2> /dev/null
head -1 $W/out.txt; sed -n 2p $W/out.txt | awk '{ print $1, $2 }'; grep -c '^layers' $W/out.txt; grep -o 'R2 of the sum on 6 random halves' $W/out.txt
$Q blame $W/a.gguf --against models/market --text models/market/eval.jsonl --windows 2 --json 2> /dev/null > $W/o.json
awk -F'[:,]' '{ for (i = 1; i <= NF; i++) { if ($i == "\"kl\"" && !k) k = $(i + 1); if ($i == "\"kl_matrices\"") m = $(i + 1) } } END { print (k > 0 && (k - m) / k < 1e-6 && (m - k) / k < 1e-6 ? "together: the artifact" : k " " m) }' $W/o.json
grep -o '"tensor"' $W/o.json | wc -l
