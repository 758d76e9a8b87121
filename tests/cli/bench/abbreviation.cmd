# getopt_long: an unambiguous beginning is enough
$Q bench models/market --max-new 4 --window 16 --repeat 1 -q > /dev/null
