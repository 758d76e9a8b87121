# missing parent folders are made before the model is opened; none stays if the run is refused
t() { "$Q" quantize "$@" -q > "$W/all" 2>&1; code=$?; grep -v warning "$W/all" | head -1; echo "rc $code"; rm "$W/all"; }
M=tests/golden/cases/01-output-is-input/src
t $M --to gguf:Q8_0 -o "$W/a/b/file.gguf"
t $M --to bnb:nf4 -o "$W/c/d/folder/"
t "$W/missing" --to gguf:Q8_0 -o "$W/e/f/file.gguf"
t $M --to awq -o "$W/g/h"
t $M --to gguf:Q8_0 --dry-run -o "$W/i/file.gguf"
cd "$W" && find . -mindepth 1 -maxdepth 2 | sort
