$Q bench models/market --max-new 4 --window 16 --repeats 1 -q | sed -E "s/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g"
