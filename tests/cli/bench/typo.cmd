$Q bench models/market --repets 3
