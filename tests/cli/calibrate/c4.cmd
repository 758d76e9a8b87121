$Q calibrate models/market --data c4 -o "$W/out"
