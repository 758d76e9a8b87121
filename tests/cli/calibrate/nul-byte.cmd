printf "a line\nanother\0line\n" > "$W/d.txt"; $Q calibrate models/market --lint --data "$W/d.txt"
