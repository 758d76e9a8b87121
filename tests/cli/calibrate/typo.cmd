$Q calibrate models/market --dta x
