$Q explain quant --w -0.92 --s 0.1 --values 3,-3,1
