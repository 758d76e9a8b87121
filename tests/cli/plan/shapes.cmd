$Q plan --shapes
