printf 'word %.0s' $(seq 2000) | $Q run models/market -p - -n 3 --ctx 8192
