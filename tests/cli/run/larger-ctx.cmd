printf 'word %.0s' $(seq 100) | $Q run models/market -p - -n 3 --ctx 16
