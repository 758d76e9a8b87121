$Q plan --matrix 7,llama-3-70b --formats awq --json
