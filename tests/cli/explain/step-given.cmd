$Q explain step --acts 0,5,10 --json
