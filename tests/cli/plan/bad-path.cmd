$Q plan "$W/config.json"
