"$Q" eval m --data x
