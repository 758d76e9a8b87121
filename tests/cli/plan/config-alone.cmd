# an empty folder with config.json: no weights needed
cp models/market/config.json "$W"; $Q plan "$W" --ctx 1024 --formats Q4_K_M,Q8_0,awq
