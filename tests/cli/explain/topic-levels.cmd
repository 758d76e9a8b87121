$Q explain levels
