printf "Convert temperature.\n\n75 F" | $Q run models/market -q -p -
