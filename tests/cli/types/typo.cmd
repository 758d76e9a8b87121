$Q types --jsn
