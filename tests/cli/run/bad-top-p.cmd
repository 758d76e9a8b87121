$Q run models/market -p x --top-p 0
