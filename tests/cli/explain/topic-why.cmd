$Q explain why
