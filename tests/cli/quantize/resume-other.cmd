# --resume with other settings than the interrupted run's is refused while there is work to lose; without --resume it is said
(ulimit -f 4200; $Q quantize models/market --to gguf:Q8_0 -o "$W/a.gguf" -q) > /dev/null 2>&1; echo "rc $?: $(wc -l < "$W/a.gguf.partial.journal") lines of journal"
$Q quantize models/market --to gguf:Q5_0 -o "$W/a.gguf" -q --resume 2>&1 > /dev/null | grep -v NFC; ls "$W"
$Q quantize models/market --to gguf:Q8_0 -o "$W/a.gguf" --resume 2>&1 > /dev/null | grep resuming; ls "$W"; rm "$W"/a.gguf*
(ulimit -f 4200; $Q quantize models/market --to gguf:Q8_0 -o "$W/a.gguf" -q) > /dev/null 2>&1
$Q quantize models/market --to gguf:Q5_0 -o "$W/a.gguf" -q 2>&1 > /dev/null | grep -v NFC; ls "$W"
