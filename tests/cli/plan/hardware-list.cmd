$Q plan --hardware list
