: > "$W/e.txt"; $Q eval models/market --text "$W/e.txt"
