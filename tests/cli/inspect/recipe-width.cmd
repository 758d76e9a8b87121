# a long recipe fits the page
$Q quantize models/market --to awq:w4g64 --propagate original --search best --without fold,descent,refit,norms --calib models/market/calibration.jsonl --samples 2 -o "$W/a" -q > /dev/null 2>&1
COLUMNS=80 $Q inspect "$W/a" | grep -A3 recipe | head -4; COLUMNS=80 $Q inspect "$W/a" | awk 'length($0) > 80 && !/sha256/ {print "wide: " $0}'
