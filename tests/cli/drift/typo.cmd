$Q drift --lroa x
