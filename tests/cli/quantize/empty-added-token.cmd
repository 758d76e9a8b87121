# an added token without text: left out and said; the file made says it once
mkdir "$W/m"; cp models/market/*.json models/market/chat_template.jinja models/market/model.safetensors "$W/m"
sed -i 's/"added_tokens": *\[/&{"id":3,"content":"","special":true,"normalized":false,"lstrip":false,"rstrip":false,"single_word":false},/' "$W/m/tokenizer.json"
grep -c '"content":""' "$W/m/tokenizer.json"
$Q quantize "$W/m" --to gguf:Q8_0 -o "$W/o.gguf" 2>&1 > /dev/null | grep "added token"
