$Q quantize
