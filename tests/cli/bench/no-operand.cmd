$Q bench
