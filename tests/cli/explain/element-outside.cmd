$Q explain models/market --tensor model.norm --elem 0,5000
