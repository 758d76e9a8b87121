$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" --reserve 1K -q > /dev/null 2>&1
cd "$W" && printf '{%% for m in %%}' > t.jinja && $Q gguf set m.gguf tokenizer.chat_template=@t.jinja | grep -v sha256
