$Q run models/market -q -t 1000 -p "$(printf 'Convert temperature.\n\n75 F')" 
$Q types --json -t 1000 2>&1 > /dev/null | sed -E 's/[0-9]+ CPUs here: [0-9]+ threads/N CPUs here: N threads/'
