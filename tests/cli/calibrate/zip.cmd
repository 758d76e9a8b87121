printf "PK\003\004xx" > "$W/d.txt"; $Q calibrate models/market --lint --data "$W/d.txt"
