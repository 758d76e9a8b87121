printf "\n\n\n" > "$W/blank.txt"; $Q calibrate models/market --data "$W/blank.txt" -o "$W/out"
