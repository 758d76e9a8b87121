$Q run models/market -p "$(printf "a\377b")"
