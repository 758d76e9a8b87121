$Q types
