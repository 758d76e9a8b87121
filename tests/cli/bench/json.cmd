$Q bench models/market --max-new 4 --window 16 --repeats 1 -q --json | grep -oE "\"[a-z0-9_]+\":" | sort -u | tr "\n" " "
