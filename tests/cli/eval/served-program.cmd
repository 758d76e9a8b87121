# llama-perplexity by path: a program that prints what the real one prints; another that fails, prints nothing known, runs too long, is none
$Q quantize models/market --to gguf:Q8_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1; for i in $(seq 200); do echo "Convert $i F. Add up the basket of $i things, 7 x $i."; done > "$W/t.txt"
ppl=$($Q eval "$W/q.gguf" --text "$W/t.txt" --window 64 --windows 4 --arith exact --json -q | grep -o '"ppl":[0-9.e+]*' | cut -d: -f2)
printf '#!/bin/sh\necho "build: 1 (0c1e570)"; echo "[1]9.1,[2]9.2,[3]9.3,[4]9.4,"; echo "$@" > "%s/args"; echo "Final estimate: PPL = %s +/- 0.5"\n' "$W" "$ppl" > "$W/p"; chmod +x "$W/p"
go() { $Q eval "$W/q.gguf" --runtime "llama-perplexity:$W/p" --text "$W/t.txt" --window 64 --windows 4 -q "$@"; echo "code $?" >&2; }
go 2>&1 | sed 's/perplexity      [0-9.]*/perplexity      N/; s/here [0-9.]* exact/here N exact/; s/, [0-9.]* in runtime arithmetic (.*%)/, N in runtime/'; sed "s#$W#W#g; s/-t [0-9]*/-t N/" "$W/args"
printf '#!/bin/sh\necho "[1]9.1,[2]9.2,[3]9.3,"; echo "Final estimate: PPL = 9 +/- 0.5"\n' > "$W/p"; go 2>&1 | grep -o "measured 3 windows.*"
printf '#!/bin/sh\necho hello\n' > "$W/p"; go 2>&1 | grep -o "printed no.*"
printf '#!/bin/sh\necho "no such file"; exit 4\n' > "$W/p"; go 2>&1 | grep -o "ended with code.*"
printf '#!/bin/sh\nkill -11 $$\n' > "$W/p"; go 2>&1 | grep -o "was ended by signal.*"
printf '#!/bin/sh\nexec sleep 20\n' > "$W/p"; go --runtime-seconds 1 2>&1 | grep -o "took more.*"
printf '#!/bin/sh\nexec yes\n' > "$W/p"; go 2>&1 | grep -o "printed more.*"
rm "$W/p"; go 2>&1 | grep -o "cannot run.*"
echo '<|im_start|>user' >> "$W/t.txt"; go 2>&1 | grep -o "holds special tokens.*;"
