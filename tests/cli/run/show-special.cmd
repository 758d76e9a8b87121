$Q run models/market -q --show-special -p "$(printf "Convert temperature.\n\n75 F")"
