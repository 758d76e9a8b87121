# what the refusal advises exists
M=tests/golden/cases/09-stored-biases-unused/src
$Q explain launch $M 2> "$W/e"; echo "rc $?: $(cat "$W/e")"
$Q explain launch $M --accept MOD-UNUSED | head -1
$Q explain $M --tensor model.embed_tokens.weight --elem 1,1 --accept MOD-UNUSED
