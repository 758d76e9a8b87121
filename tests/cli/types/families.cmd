"$Q" types --families
"$Q" types --families --json | cut -c1-400
