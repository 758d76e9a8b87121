$Q run models/market -p x --temperature hot
