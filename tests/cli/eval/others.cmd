# --others: uploads of one model in one table: who made each (README.md, general.quantized_by, the manifest, nobody), imatrix, size against KL with the line of the best; another architecture and a torn file are named and counted, not compared
mkdir -p "$W/up/alice/m-nf4" "$W/up/bob" "$W/up/dora"; head -6 models/market/eval.jsonl > "$W/e.jsonl"
$Q quantize models/market --to bnb -o "$W/nf4" -q > /dev/null; cp "$W"/nf4/[!q]* "$W/up/alice/m-nf4"
printf -- '---\nlicense: mit\nbase_model:\n- acme/market\nquantized_by: "alice"\n---\n# m\n' > "$W/up/alice/m-nf4/README.md"
$Q quantize models/market --to gguf:Q4_0 --search compat -o "$W/up/bob/q4.gguf" -q > /dev/null 2>&1
$Q quantize models/market --to gguf:Q8_0 --search compat -o "$W/up/bob/q8.gguf" -q > /dev/null 2>&1; rm "$W/up/bob/q8.gguf.manifest.json"
$Q gguf set "$W/up/bob/q8.gguf" general.quantized_by:str=Bob quantize.imatrix.file:str=b.imatrix quantize.imatrix.dataset:str=wiki quantize.imatrix.entries_count:i32=38 quantize.imatrix.chunks_count:i32=12 > /dev/null
cp "$W/up/alice/m-nf4" -r "$W/up/dora/m-nf4"; rm "$W/up/dora/m-nf4/README.md"; printf 'x' > "$W/up/dora/list.txt"
$Q quantize tests/golden/zoo/llama --to gguf:Q8_0 --search compat -o "$W/up/bob/another.gguf" -q > /dev/null 2>&1; head -c 100 "$W/up/bob/q4.gguf" > "$W/up/dora/torn.gguf"
$Q eval --others "$W/up" --against models/market --text "$W/e.jsonl" --arith exact | sed -n '/^size against/,$p'
echo "one artifact, named, beside an operand that stands in the folder, too"
$Q eval "$W/up/bob/q4.gguf" --others "$W/up/bob" --others "$W/up/dora/m-nf4" --against models/market --text "$W/e.jsonl" --arith exact -q 2> /dev/null | sed -n '/^Artifact/,$p' | grep -v another.gguf
