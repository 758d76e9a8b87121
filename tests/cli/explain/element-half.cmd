$Q explain models/market --tensor model.norm
