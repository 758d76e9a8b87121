$Q run models/market --ctx 8 -p "one two three four five six seven eight nine ten"
