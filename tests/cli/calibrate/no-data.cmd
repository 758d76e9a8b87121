$Q calibrate models/market
