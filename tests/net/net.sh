#!/usr/bin/env bash
# usage: net.sh [--record] QUANTZ TENSOR_HASH [SET …]   What must not change while the house is rebuilt.
# Sets: zoo, market, text (needs QZ_SHARED/models/text-13m), json, kl. Without one all but text.
#   zoo market text   SHA-256 of the tensor data of every artifact that the program writes under an explicit recipe
#                     (scheme, level, search mode, propagate kind, imatrix) -> tests/net/SET.sha
#   json              every value that eval, plan, pick, check, explain, inspect, types print with --json on fixed inputs
#                     (seconds and rates blanked) -> tests/net/json/NAME.json, one field a line
#   kl                KL of every artifact of the bundled model on its evaluation text -> tests/net/kl.txt: NAME KL; equal within 3 %
#                     plus 1e-6 (the bytes are fixed by market.sha: this bound says what those bytes are worth)
# --record writes the files again: read the diff, and say in the commit why each line may change.
set -u
export LC_ALL=C.UTF-8
record=0; [ "${1:-}" = --record ] && { record=1; shift; }
[ $# -ge 2 ] || { sed -n 2p "$0" >&2; exit 2; }
Q=$(realpath "$1") H=$(realpath "$2"); shift 2
here=$(cd "$(dirname "$0")" && pwd); cd "$here/../.." || exit 2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
passed=0 failed=0
ACCEPT=CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,MOD-FLOAT

say() { printf '%s\n' "$*" >> "$work/got"; }
hash_of() { # OUT
  if [ -d "$1" ]; then "$H" "$1"/*.safetensors; else "$H" "$1"; fi
}
art() { # NAME MODEL SCHEME [options]: one line "NAME HASH"; the artifact stays in $work/art/NAME until the set ends if KEEP is set
  local name=$1 model=$2 scheme=$3 out; shift 3
  case $scheme in gguf*) out=$work/art/$name.gguf ;; *) out=$work/art/$name ;; esac
  mkdir -p "$work/art"
  if "$Q" quantize "$model" --to "$scheme" -o "$out" -q "$@" > "$work/log" 2>&1; then say "$name $(hash_of "$out")"
  else say "$name refused: $(grep '^quantz: error' "$work/log" | tail -1 | cut -c1-60)"; fi
  [ -n "${KEEP:-}" ] || rm -rf "$work/art"
}
compare() { # FILE: $work/got against the record
  sort -o "$work/got" "$work/got"
  if [ $record = 1 ]; then cp "$work/got" "$1"; passed=$((passed + $(wc -l < "$1"))); return; fi
  local n; n=$(diff "$1" "$work/got" | grep -c '^[<>]')
  passed=$((passed + $(comm -12 "$1" "$work/got" | wc -l)))
  [ "$n" -eq 0 ] || { failed=$((failed + n)); echo "FAIL $1:"; diff "$1" "$work/got" | grep '^[<>]' | head -40; }
}

ids() { # tokens below 256, the same for every zoo model
  local i k
  for i in $(seq 1 24); do
    printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'
  done
}

set_zoo() {
  ids > "$work/ids.jsonl"
  local m v c calib=(--calib "$work/ids.jsonl" --seq-len 64 --samples 24 --accept $ACCEPT --damp 0.01)
  for m in llama llama3-rope mistral qwen2 qwen3; do
    for c in F16 BF16 Q8_0 Q4_0 Q5_1; do art "$m-gguf-$c" tests/golden/zoo/$m gguf:$c --search compat; done
    for v in original quantized; do art "$m-gguf-Q4_0-$v" tests/golden/zoo/$m gguf:Q4_0 --propagate $v "${calib[@]}"; done
    art "$m-bnb-nf4" tests/golden/zoo/$m bnb:nf4+double
    art "$m-bnb-int8" tests/golden/zoo/$m bnb:int8
    art "$m-ct-fp8_dynamic" tests/golden/zoo/$m ct:fp8_dynamic
    art "$m-ct-fp8_block" tests/golden/zoo/$m ct:fp8_block
    for c in ct:fp8 ct:nvfp4 ct:int8+static; do art "$m-$c" tests/golden/zoo/$m $c "${calib[@]}"; done
    art "$m-ct-w4a16" tests/golden/zoo/$m ct:w4a16+g32
    art "$m-ct-int8" tests/golden/zoo/$m ct:int8
    art "$m-fp8-block" tests/golden/zoo/$m fp8:block
    for c in tensor block+ue8m0; do art "$m-fp8-$c" tests/golden/zoo/$m fp8:$c; done
    for c in nvfp4a16 fp8_dynamic mxfp4 mxfp8; do art "$m-modelopt-$c" tests/golden/zoo/$m modelopt:$c; done
    for v in original quantized; do for c in best compat; do
      art "$m-awq-$c-$v" tests/golden/zoo/$m awq:w4g32 --search $c --propagate $v "${calib[@]}"
      art "$m-gptq-$c-$v" tests/golden/zoo/$m gptq:w4g32+asym --search $c --propagate $v "${calib[@]}"
    done; done
    art "$m-gptq-act" tests/golden/zoo/$m gptq:w3g32+act_order --propagate original "${calib[@]}"
  done
  for m in gemma2 gemma3 phi3 mixtral qwen3_moe smollm3 granite; do
    for c in gguf:F16 gguf:BF16 gguf:Q8_0 gguf:Q4_0 bnb:nf4+double bnb:int8 ct:fp8_dynamic ct:w4a16_asym+g32 ct:int8 ct:nvfp4a16 ct:mxfp4 ct:mxfp6a16 ct:mxfp8 fp8:block fp8:tensor modelopt:nvfp4a16 modelopt:mxfp4 modelopt:mxfp8; do art "$m-$c" tests/golden/zoo/$m $c --search compat --accept MOD-FLOAT; done
    case $m in phi3 | smollm3 | granite) for v in original quantized; do art "$m-awq-$v" tests/golden/zoo/$m awq:w4g32 --propagate $v "${calib[@]}"
      art "$m-gptq-$v" tests/golden/zoo/$m gptq:w4g32+asym --propagate $v "${calib[@]}"; done ;; esac
  done
  for m in mixtral qwen3_moe; do
    "$Q" calibrate tests/golden/zoo/$m --data "$work/ids.jsonl" --seq-len 64 --samples 24 --accept $ACCEPT -o "$work/$m.stats" --imatrix "$work/$m.gguf" -q > "$work/log" 2>&1
    say "$m-stats $(sha256sum < "$work/$m.stats" | cut -c1-64)"
    for c in Q8_0 Q4_0 Q5_1; do
      art "$m-gguf-$c-stats" tests/golden/zoo/$m gguf:$c --stats "$work/$m.stats" --damp 0.01
      art "$m-gguf-$c-imatrix" tests/golden/zoo/$m gguf:$c --imatrix "$work/$m.gguf" --search compat
    done
    art "$m-gguf-Q4_0-quantized" tests/golden/zoo/$m gguf:Q4_0 --propagate quantized "${calib[@]}"
    for c in ct:fp8 ct:nvfp4; do art "$m-$c" tests/golden/zoo/$m $c --stats "$work/$m.stats"; done
    art "$m-ct-levels" tests/golden/zoo/$m ct:nvfp4 --module self_attn=fp8 --module re:model.layers.1=w4a16_asym+g32 "${calib[@]}"
    for v in original quantized; do
      for c in best compat; do art "$m-gptq-$c-$v" tests/golden/zoo/$m gptq:w4g32+asym --search $c --propagate $v "${calib[@]}"; done
      art "$m-gptq-rows-$v" tests/golden/zoo/$m gptq:w4g-1 --propagate $v "${calib[@]}"
      art "$m-awq-best-$v" tests/golden/zoo/$m awq:w4g32 --propagate $v "${calib[@]}"
    done
    art "$m-gptq-together" tests/golden/zoo/$m gptq:w4g32 --propagate quantized --together "${calib[@]}"
    art "$m-gptq-act" tests/golden/zoo/$m gptq:w3g32+act_order --propagate original "${calib[@]}"
  done
  # families of issue 20; what a scheme cannot do for one is a refused line
  for m in gpt_oss glm4_moe phimoe llama4 deepseek_v3 mistral4 ministral3 olmo2 olmo3 cohere2 opt qwen3_5 qwen3_5_moe qwen3_next gemma4 gemma4-moe qwen2_moe deepseek_v2; do
    [ -d tests/golden/zoo/$m ] || continue
    for c in gguf:BF16 gguf:Q4_0 bnb:nf4+double bnb:int8 ct:fp8_dynamic ct:nvfp4a16 modelopt:mxfp4 fp8:block; do art "$m-$c" tests/golden/zoo/$m $c --search compat --accept MOD-FLOAT; done
    for v in original quantized; do art "$m-gptq-$v" tests/golden/zoo/$m gptq:w4g32+asym --propagate $v "${calib[@]}"; done
    for c in awq:w4g32 ct:nvfp4 ct:int8; do art "$m-$c" tests/golden/zoo/$m $c "${calib[@]}"; done
  done
  compare tests/net/zoo.sha
}

recipes() { # PREFIX MODEL calibration options…: every scheme, level, mode
  local p=$1 m=$2 l s v; shift 2
  for l in F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K; do
    art "$p-gguf-$l-compat" "$m" gguf:$l --search compat
    case $l in F32 | F16 | BF16) ;; *)
      art "$p-gguf-$l-imatrix" "$m" gguf:$l --search compat --imatrix "$work/$p.imatrix.gguf"
      case $l in Q2_K | Q3_K_M | Q4_K_M | Q5_K_S | Q6_K | Q8_0 | Q4_0 | Q4_1 | Q5_0 | Q5_1)
        art "$p-gguf-$l-best" "$m" gguf:$l
        art "$p-gguf-$l-stats" "$m" gguf:$l --stats "$work/$p.stats" --damp 0.01 --accept $ACCEPT ;; esac ;; esac
  done
  for l in nf4 nf4+double fp4 fp4+double int8; do art "$p-bnb-$l" "$m" bnb:$l; done
  for v in original quantized; do
    for s in best compat; do
      art "$p-awq-w4g128-$s-$v" "$m" awq:w4g128 --search $s --propagate $v "$@"
      art "$p-awq-w4g64-$s-$v" "$m" awq:w4g64 --search $s --propagate $v "$@"
      for l in w4g128 w4g128+asym w4g-1 w3g128+asym w4g64+asym+act_order w2g64+asym w8g128; do
        art "$p-gptq-$l-$s-$v" "$m" gptq:$l --search $s --propagate $v "$@"
      done
    done
  done
  art "$p-gptq-together" "$m" gptq:w4g128 --propagate quantized --together "$@"
  art "$p-gptq-stats" "$m" gptq:w4g128+asym --stats "$work/$p.stats" --damp 0.01 --accept $ACCEPT
  art "$p-awq-stats" "$m" awq --stats "$work/$p.stats" --damp 0.01 --accept $ACCEPT
  art "$p-gptq-module" "$m" gptq:w4g128 --module 'down_proj=bits:8,group_size:32' --module 'layers.0.mlp=keep' --propagate original "$@"
  art "$p-gptq-damp" "$m" gptq:w4g128 "$@" --damp 0.1 --search compat --mse 2.4
  for l in fold asymmetric residual order descent refit norms sign; do art "$p-gptq-without-$l" "$m" gptq:w4g128+asym --propagate quantized --without $l "$@"; done
}
prepare() { # PREFIX MODEL DATA options…
  "$Q" calibrate "$2" --data "$3" -o "$work/$1.stats" --imatrix "$work/$1.imatrix.gguf" --accept $ACCEPT -q "${@:4}" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
set_market() {
  local calib=(--calib models/market/calibration.jsonl --samples 32 --seq-len 256 --accept $ACCEPT --no-bos --damp 0.01)
  prepare market models/market models/market/calibration.jsonl --samples 32 --seq-len 256 --no-bos
  recipes market models/market "${calib[@]}"
  compare tests/net/market.sha
}
set_text() {
  local m=${QZ_SHARED:-../shared}/models/text-13m data
  data=$(ls "$m"/data/*calib* | head -1)
  prepare text "$m" "$data" --samples 16 --seq-len 256 --no-bos
  recipes text "$m" --calib "$data" --samples 16 --seq-len 256 --accept $ACCEPT --no-bos --damp 0.01
  compare tests/net/text.sha
}

# ---- values of --json ----
json() { # NAME verb options…
  local name=$1; shift
  "$Q" "$@" --json -q > "$work/out" 2> "$work/err"
  local code=$?
  { sed -E -e "s#$work#W#g" -e 's/"(seconds|runtime_(kl|dppl|top)[a-z_0-9]*|[a-z_]*(_s|_ms|_tps)|peak_rss_bytes|load_average|involuntary_switches_per_s)":-?[0-9.e+-]+/"\1":N/g' -e 's/,"/,\n"/g' "$work/out" |
      case $name in eval-runtime) sed -E 's/(\.[0-9]{4})[0-9]+/\1/' ;; *) cat ;; esac # the last bits of runtime arithmetic are a machine's own
    sed "s#$work#W#g" "$work/err"; echo "exit $code"; } > "$work/json"
  local want=tests/net/json/$name.json
  if [ $record = 1 ]; then mkdir -p tests/net/json; cp "$work/json" "$want"; passed=$((passed + 1)); return; fi
  if cmp -s "$work/json" "$want"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $want:"; diff "$want" "$work/json" | head -20; fi
}
set_json() {
  local m=models/market s f hw
  "$Q" quantize $m --to gguf:Q4_K_M --search compat -o "$work/q4.gguf" -q > /dev/null
  "$Q" quantize $m --to awq --calib $m/calibration.jsonl --samples 16 --seq-len 128 --accept $ACCEPT --search compat --propagate original -o "$work/awq" -q > /dev/null
  "$Q" quantize $m --to gptq:w4g128 --calib $m/calibration.jsonl --samples 16 --seq-len 128 --accept $ACCEPT --search compat --propagate original -o "$work/gptq" -q > /dev/null
  "$Q" quantize $m --to bnb:nf4 -o "$work/nf4" -q > /dev/null
  json eval-market eval "$work/q4.gguf" "$work/awq" "$work/gptq" "$work/nf4" --against $m --text $m/eval.jsonl --tasks $m/tasks.jsonl --windows 24 --max-tasks 24
  json eval-runtime eval "$work/q4.gguf" --against $m --text $m/eval.jsonl --windows 12 --arith runtime
  for s in llama llama3-rope mistral qwen2 qwen3; do json plan-zoo-$s plan tests/golden/zoo/$s --formats all --exact; done
  json plan-formats plan $m --formats all
  json plan-exact plan "$work/q4.gguf" --exact
  for s in llama-3-8b llama-3-70b qwen3-4b mixtral-8x7b mistral-7b; do
    json plan-$s plan $s --formats all --ctx 4k,32k --users 1,8 --hardware h100
    json plan-tp-$s plan $s --formats awq,Q4_K_M,fp8 --tp 2 --hardware rtx-4090 --kv q8_0/q4_0 --speed --offload
    json pick-$s pick $s --hardware rtx-4090
    json check-$s check $s --engine vllm --tp 2 --hardware h100 --to awq
  done
  json plan-job plan $m --job --disk 10GiB -o "$work"
  for hw in h100 rtx-4090 mac-m2-16gb laptop-16gb; do for f in chat long math; do json pick-$hw-$f pick llama-3-8b --hardware $hw --workload $f; done; done
  for f in q4.gguf awq gptq nf4; do json check-$f check "$work/$f" --deep; json inspect-$f inspect "$work/$f"; json launch-$f explain launch "$work/$f"; done
  json check-market check $m --deep; json inspect-market inspect $m; json types types
  json glass-awq explain "$work/awq" --tensor model.layers.0.self_attn.q_proj.weight --elem 3,7 --against $m
  json glass-nf4 explain "$work/nf4" --tensor model.layers.0.self_attn.q_proj.weight --elem 3,7 --against $m
  json glass-q4 explain "$work/q4.gguf" --tensor blk.0.attn_q.weight --elem 3,7 --against $m
  local topics=0
  # mawk knows no {2,}: a topic stands at the beginning of a line, two spaces behind it
  for f in $("$Q" explain 2> /dev/null | awk '/^[a-z0-9-]+  / {print $1}'); do json explain-$f explain "$f"; topics=$((topics + 1)); done
  [ $topics -ge 25 ] || { failed=$((failed + 1)); echo "FAIL json: only $topics topics of 'quantz explain' found"; }
}

# ---- what the artifacts are worth ----
set_kl() {
  local m=models/market calib f name kl want
  "$Q" calibrate $m --data $m/calibration.jsonl --samples 64 --seq-len 256 --accept $ACCEPT -o "$work/kl.stats" -q > /dev/null || exit 1
  calib=(--stats "$work/kl.stats" --accept $ACCEPT)
  KEEP=1
  for f in Q4_K_M Q4_0 Q2_K; do art "$f" $m gguf:$f "${calib[@]}"; done
  # layer by layer through what is quantized already
  art Q3_K_M-flow $m gguf:Q3_K_M --calib $m/calibration.jsonl --samples 64 --seq-len 256 --propagate quantized --accept $ACCEPT
  for f in nf4+double; do art "bnb-$f" $m bnb:$f; done
  for f in w4g128; do art "awq-$f" $m awq:$f "${calib[@]}" --propagate original; done
  for f in w4g128+asym w2g64+asym; do art "gptq-$f" $m gptq:$f "${calib[@]}" --propagate original; done
  rm -f "$work/got"
  "$Q" eval $(ls -d "$work"/art/* | grep -v manifest) --against $m --text $m/eval.jsonl --windows 40 --arith exact --json -q > "$work/out" || { failed=$((failed + 1)); return; }
  sed -nE 's/^.*"artifact":"([^"]*)".*"kl":([0-9.e-]+),"kl_low.*$/\1 \2/p' "$work/out" | sort > "$work/kl"
  rm -rf "$work/art"; KEEP=
  if [ $record = 1 ]; then cp "$work/kl" tests/net/kl.txt; passed=$((passed + $(wc -l < tests/net/kl.txt))); return; fi
  while read -r name want; do
    kl=$(awk -v n="$name" '$1 == n { print $2 }' "$work/kl")
    if awk -v a="${kl:-9}" -v b="$want" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= 0.03 * b + 1e-6) }'; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAIL kl $name: expected $want, found ${kl:-nothing}"; fi
  done < tests/net/kl.txt
}

[ $# -gt 0 ] || set -- zoo market json kl
for s in "$@"; do rm -f "$work/got"; "set_$s"; done
[ $record = 1 ] && { echo "$passed recorded"; exit 0; }
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
