$Q types --threads -1
