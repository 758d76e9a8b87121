# names that say how a checkpoint was saved: without its head, compiled, with an adapter beside its weights; one line each, refused
B=tests/golden/cases/text-model
try() { # NAME SED-ON-HEADER
  local f=$W/$1/model.safetensors n h l; mkdir "$W/$1"; cp $B/config.json "$W/$1"; n=$(od -An -tu8 -N8 $B/model.safetensors | tr -d ' ')
  h=$(tail -c +9 $B/model.safetensors | head -c "$n" | sed -E "$2"); l=${#h}
  { printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x\\0\\0\\0\\0' $((l & 255)) $((l >> 8 & 255)) $((l >> 16 & 255)) 0)"; printf %s "$h"; tail -c +$((9 + n)) $B/model.safetensors; } > "$f"
  $Q verify "$W/$1" > "$W/o" 2>&1; echo "$1: verify $?: $(grep structure "$W/o")"; $Q quantize "$W/$1" --to gguf:F16 --dry-run > "$W/o" 2>&1; echo "quantize $?: $(grep error "$W/o")"; }
try same 's/"x/"x/'
try base 's/"model\./"/g'
try compiled 's/"(model|lm_head)\./"_orig_mod.\1./g'
try adapter 's/"(model|lm_head)\./"base_model.model.\1./g; s/(q_proj)\.weight/\1.base_layer.weight/g'
try base-layer 's/(q_proj)\.weight/\1.base_layer.weight/g'
try missing 's/q_proj\.weight/q_prox.weight/g'
