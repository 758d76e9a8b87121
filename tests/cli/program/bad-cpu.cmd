$Q types --cpu avx1024
