$Q explain quant
