$Q pick llama-3-70b --hardware b200 --users 64 --tolerance cost
