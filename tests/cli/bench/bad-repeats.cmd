$Q bench models/market --repeats 0
