# what is not there: 2 where the operand is a name (E-USAGE), 3 where an option's file cannot be opened (E-IO), on every verb
try() { $Q "$@" -q > "$W/o" 2>&1; echo "$? $(grep -oE '\[E-[A-Z]+\]$' "$W/o") $*" | sed "s#$W#W#g"; }
for v in plan pick check inspect verify bench; do try $v nothing.gguf; done; try run nothing -p hi; try diff nothing models/market; try quantize nothing --to gguf:Q8_0
m=models/market; try eval $m --text nothing; try eval $m --tasks nothing; try run $m --chat nothing; try calibrate $m --data nothing -o "$W/s"; try quantize $m --to gguf:Q8_0 --imatrix nothing -o "$W/o.gguf"
try quantize $m --to awq --calib nothing -o "$W/out"; try quantize $m --to awq --stats nothing -o "$W/out"; try check $m --report nothing; try check $m --note nothing; try check $m --calib nothing; try plan llama-3-8b --hardware-file nothing; try run $m -p hi --config nothing
