$Q eval
