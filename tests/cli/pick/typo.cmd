$Q pick llama-3-8b --hadrware h100
