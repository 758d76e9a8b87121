# a folder that holds only config.json: nothing reads the weights it has not
cp models/market/config.json "$W"; $Q plan "$W" --ctx 1024 --formats awq,bnb:nf4,gptq --exact
