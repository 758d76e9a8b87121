printf "PAR1\025\004\025" > "$W/d.parquet"; $Q calibrate models/market --lint --data "$W/d.parquet"
