# plain text: the chat lines without their JSON
sed 's/^{"text": "//; s/"}$//; s/\\n/ /g; s/\\//g' models/market/eval.jsonl > "$W/e.txt"; $Q eval models/market --text "$W/e.txt" --protocol stride --windows 4 --window 128 --stride 64
