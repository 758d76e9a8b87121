printf "caf\351" | $Q run models/market -p - -n 2
