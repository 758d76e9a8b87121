# plain text: the chat lines without their JSON
sed 's/^{"text": "//; s/"}$//; s/\\n/ /g; s/\\//g' models/market/eval.jsonl > "$W/e.txt"; $Q eval models/market --text "$W/e.txt" --protocol half --window 512 --windows 2
