# What was asked for must have arrived: a full or closed standard output is exit 3 with one line, for help as for verbs.
try() { "$Q" "$@" 2>&1 > /dev/full; echo "$? $*"; }
for x in --help --version --man --completion "quantize --help" "help release"; do try $x; done
"$Q" --version 2>&1 >&-; echo "$? closed"; "$Q" quantize --help 2>&1 >&-; echo "$? closed"
for x in --help types; do exec 3> >(true); wait $!; "$Q" $x >&3; echo "$? $x, no reader"; done 2> /dev/null
# the number of a closed one is given to no file of ours: warnings would be written into it
: > $W/f.partial.lock; "$Q" quantize models/market --to gguf:Q8_0 --calib models/market/calibration-bad.jsonl -o $W/f 2>&- > /dev/null; echo "$?, $(wc -c < $W/f.partial.lock) bytes"
$Q types > /dev/full
