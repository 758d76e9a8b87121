$Q explain --tensr x
