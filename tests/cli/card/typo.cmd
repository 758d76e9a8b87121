$Q card models/market --bse x
