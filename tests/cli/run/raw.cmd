$Q run models/market -q --raw -p "<|im_start|>user" -n 8
