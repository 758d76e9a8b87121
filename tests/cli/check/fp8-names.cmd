# quantize's note of the scales' name is check's, explain launch's and pick's too
$Q quantize models/market --to fp8:tensor -o "$W/f" -q > /dev/null 2>&1; $Q check "$W/f" --engine transformers 2> /dev/null | grep -A2 PRE-; $Q explain launch "$W/f" --engine transformers | grep PRE-; $Q pick "$W/f" --hardware h100-80gb --engine transformers 2> /dev/null | grep -A1 PRE-
