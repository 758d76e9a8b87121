$Q eval models/market --txt x
