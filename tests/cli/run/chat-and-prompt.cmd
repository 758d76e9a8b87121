echo '[{"role": "user", "content": "x"}]' > $W/chat.json; $Q run models/market -q --chat $W/chat.json -p hello
