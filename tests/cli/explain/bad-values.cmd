$Q explain quant --values 1,two
