$Q plan llama-3-8b --kv q7_0
