$Q explain iq2_xs --json
