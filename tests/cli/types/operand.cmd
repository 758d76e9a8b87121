$Q types q4_k
