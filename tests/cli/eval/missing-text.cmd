$Q eval models/market --text "$W/none.txt"
