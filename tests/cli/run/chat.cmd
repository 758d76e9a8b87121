cat > $W/chat.json <<'J'
{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Convert temperature.\n\n75 F"}, {"type": "image_url", "image_url": {"url": "x"}}]}]}
J
$Q run models/market --chat $W/chat.json -n 4 2> $W/err; grep left $W/err
$Q run models/market -q --system "Be brief." -p "$(printf "Convert temperature.\n\n75 F")" -n 4
