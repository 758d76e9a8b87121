# nothing to ask
$Q eval models/market --runtime openai:http://127.0.0.1:1
