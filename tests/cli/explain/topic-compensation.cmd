$Q explain compensation
