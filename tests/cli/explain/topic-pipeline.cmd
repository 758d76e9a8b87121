$Q explain pipeline
