# -p and standard input are judged alike
printf 'a\377b' | $Q run models/market --raw -p - -n 2 2> "$W/e"; echo "rc $?: $(cat "$W/e")"
$Q run models/market --raw -n 2 -p "$(printf 'a\377b')"
