$Q explain gate --json
