$Q explain quant --s 0
