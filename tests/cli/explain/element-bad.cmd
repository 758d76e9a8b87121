$Q explain models/market --tensor model.norm --elem 5
