$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" --reserve 1K -q > /dev/null 2>&1
cd "$W" && printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' > t.jinja
$Q gguf set m.gguf tokenizer.chat_template=@t.jinja general.license:str=mit | grep -v sha256 && $Q gguf unset m.gguf general.license --json | sed 's/"sha256":"[0-9a-f]*"/"sha256":"…"/'
$Q gguf set m.gguf general.name=Market --reserve 8K | grep -v sha256
