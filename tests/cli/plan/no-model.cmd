$Q plan
