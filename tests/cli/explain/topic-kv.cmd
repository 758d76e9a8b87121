$Q explain kv
