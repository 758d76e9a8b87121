$Q run models/market --pormpt x
