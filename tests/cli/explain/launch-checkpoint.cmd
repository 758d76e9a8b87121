$Q explain launch models/market
