$Q explain models/market --tensor model.norms --elem 0,5
