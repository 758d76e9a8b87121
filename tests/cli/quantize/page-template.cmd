# chat_template.jinja is a server's page; a template that begins with a token like <s> is none
cp -r models/market "$W/m"; printf '<s>{{ messages[0].content }}' > "$W/m/chat_template.jinja"; $Q quantize "$W/m" --to gguf:Q8_0 -n > /dev/null; echo "rc $?"
printf '\n<!DOCTYPE html>\n<html><body>404</body></html>\n' > "$W/m/chat_template.jinja"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
