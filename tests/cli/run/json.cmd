$Q run models/market -q --json -p "$(printf "Convert temperature.\n\n75 F")"
