echo '[{"role": "user", "content": "x"}]' > $W/chat.json; $Q run tests/golden/zoo/llama -q --chat $W/chat.json
