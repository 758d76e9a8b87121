# files that are copied unread: a pointer or a page among them is not handed on; a licence may be a page
cp -r models/market "$W/m"; printf '<html>licence</html>' > "$W/m/LICENSE.html"; $Q quantize "$W/m" --to bnb:nf4 -n > /dev/null 2> "$W/e"; echo "rc $?"
cp tests/golden/cases/27-git-lfs-pointer/lfs.gguf "$W/m/tokenizer.model"; $Q quantize "$W/m" --to bnb:nf4 -n > /dev/null 2> "$W/e"; echo "rc $?"; tail -1 "$W/e"
printf '<html>404</html>' > "$W/m/tokenizer.model"; $Q quantize "$W/m" --to bnb:nf4 -n
