$Q run models/market -q -p "$(printf "Convert temperature.\n\n75 F")"
