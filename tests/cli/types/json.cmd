$Q types --json
