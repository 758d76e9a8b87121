sed 's/^{"text": "//; s/"}$//; s/\\n/ /g; s/\\//g' models/market/eval.jsonl > "$W/e.txt"; $Q eval models/market --text "$W/e.txt" --protocol windows --windows 1 --window 64
