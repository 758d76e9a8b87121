#!/usr/bin/env bash
# usage: recipe.sh QUANTZ [DRAWS]   Equal recipes, sources and data give equal bytes: random settings of every scheme are written, and
# what the artifact records of itself, fed back with --config, gives the same files, manifest included. The libraries' own names make
# the same artifact as our options do. Draws are the same in every run; more of them than the test has: recipe.sh QUANTZ 500.
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "$1"); draws=${2:-36}; cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | head -5 | sed 's/^/      /'; }
sum() { if [ -d "$1" ]; then (cd "$1" && find . -type f | sort | xargs sha256sum | sha256sum); else cat "$1" "$1.manifest.json" | sed "s/$(basename "$1")/NAME/" | sha256sum; fi; }

M=tests/golden/zoo/llama
tests/cli/ids.sh 24 70 > "$W/ids.jsonl"
RANDOM=20261129
one_of() { local n=$#; shift $((RANDOM % n)); printf '%s' "$1"; }
maybe() { [ $((RANDOM % 3)) = 0 ]; }

scheme() {
  case $((RANDOM % 8)) in
    0) echo "gguf:$(one_of Q4_0 Q5_1 Q8_0 Q4_K_M F16)" ;;
    1 | 2) echo "awq:w4g$(one_of 32 64)" ;;
    3 | 4 | 5) local act; act=$(one_of "" "" +act_order +act_order+static_groups)
       echo "gptq:w$(one_of 4 8)g$(one_of -1 32 64)$(one_of "" +asym)$act" ;;
    6) echo "bnb:$(one_of nf4 fp4 nf4+double nf4+bf16 int8)" ;;
    7) echo "$(one_of ct:fp8_dynamic fp8:block ct:w4a16+g32 ct:w3a16+g32+asym ct:int8 ct:nvfp4a16 ct:mxfp4 ct:mxfp6a16 ct:nvfp4 ct:int8+static)" ;;
  esac
}
for i in $(seq "$draws"); do
  to=$(scheme)
  args=(--to "$to")
  calib=()
  case $to in
    gguf*) maybe && calib=(--calib "$W/ids.jsonl") ;;
    awq* | gptq* | ct:nvfp4 | ct:int8+static) calib=(--calib "$W/ids.jsonl") ;;
  esac
  search=$(one_of best best compat)
  args+=(--search $search)
  if [ ${#calib[@]} -gt 0 ]; then
    args+=(--samples $((2 + RANDOM % 8)) --seq-len $(one_of 32 48 64))
    maybe && args+=(--lengths $(one_of pack truncate drop))
  fi
  if [[ $to == awq* || $to == gptq* ]]; then
    maybe && args+=(--propagate $(one_of original quantized))
    maybe && args+=(--damp 0.$(one_of 01 05 3))
    maybe && args+=(--together)
    [ $search = best ] && maybe && args+=(--without $(one_of fold descent,refit norms,sign asymmetric residual,order))
  fi
  if [[ $to == gptq* ]]; then
    [ $search = compat ] && maybe && args+=(--mse 2.4)
    maybe && args+=(--module "$(one_of 'down_proj=bits:8,group_size:32' 'layers.0.mlp=keep' 'o_proj=bits:8')")
  fi
  [[ $to == bnb* || ( $to == awq* && $search = best ) ]] && maybe && args+=(--module 'layers.0.mlp=keep')
  if [[ $to == gguf:Q* ]]; then
    maybe && args+=(--tensor-type "$(one_of 'ffn_down=q8_0' 'attn_[qk]=q6_K' 'blk.1=q5_0')")
    maybe && args+=(--token-embedding-type $(one_of q8_0 f16))
    maybe && args+=(--pure)
  fi
  [[ $to == awq* ]] && [ $search = compat ] && maybe && args+=(--no-clip)
  maybe && args+=(--name "model $i")
  out=$W/a; [[ $to == gguf* ]] && out=$W/a.gguf
  again=$W/b; [[ $to == gguf* ]] && again=$W/b.gguf
  "$Q" quantize $M "${args[@]}" "${calib[@]}" -o "$out" -q > /dev/null 2> "$W/err"; code=$?
  if [ $code != 0 ]; then # refused in words is as good an answer, but not for most
    [ $code = 2 ] && refused=$((${refused:-0} + 1)) && continue
    bad "${args[*]}: exit $code" "$(cat "$W/err")"; continue
  fi
  from=$out; maybe && { from=$out.manifest.json; [ -d "$out" ] && from=$out/quantz-manifest.json; }
  if "$Q" quantize $M --config "$from" "${calib[@]}" -o "$again" -t 1 -q > /dev/null 2> "$W/err" && [ "$(sum "$out")" = "$(sum "$again")" ]
  then ok; else bad "--config of ${args[*]}" "$(cat "$W/err")"; fi
  rm -rf "$W"/a "$W"/b "$W"/a.gguf* "$W"/b.gguf*
done
[ "${refused:-0}" -le $((draws / 4)) ] || bad "$refused of $draws recipes were refused"

# Keys and a source that is coded already are of the recipe, too, and so are parts and room.
"$Q" quantize $M --to gguf:Q8_0 --search compat -o "$W/coded.gguf" -q > /dev/null 2>&1
parts() { cat "$W/$1"-0000*.gguf | sha256sum; }
"$Q" quantize "$W/coded.gguf" --to gguf:Q4_0 --allow-requantize --split-max-tensors 8 --reserve 4K --override-kv general.name=str:x \
  -o "$W/a.gguf" -q > /dev/null 2> "$W/err" &&
  "$Q" quantize "$W/coded.gguf" --config "$(ls "$W"/a-00001-of-*.gguf)" -o "$W/b.gguf" -q > /dev/null 2> "$W/err"
[ -s "$W/b-00001-of-00003.gguf" ] && [ "$(parts a)" = "$(parts b)" ] && ok || bad "the recipe of parts" "$(cat "$W/err"; ls "$W")"
"$Q" quantize "$W/coded.gguf" --to gguf:Q4_0 --allow-requantize --reserve 4K --override-kv general.name=str:x -o "$W/whole.gguf" -q > /dev/null 2>&1
"$Q" gguf merge "$W"/a-00001-of-*.gguf "$W/merged.gguf" > /dev/null 2>&1
[ "$(sum "$W/whole.gguf")" != "" ] && cmp -s "$W/whole.gguf" "$W/merged.gguf" && ok || bad "merged parts are the whole file, with room too"
is_in() { grep -o '"recipe": {[^}]*' "$1" | grep -c "$2"; }
[ "$(is_in "$W"/a-00001-of-*.manifest.json '"split_max_tensors":"8"') $(tr -d ' \n' < "$W/merged.gguf.manifest.json" | grep -c split_max)" = "1 0" ] && ok || bad "parts in the recipe of the manifest, not of what was merged"
"$Q" quantize "$W/coded.gguf" --config "$W/merged.gguf" -o "$W/again.gguf" -q > /dev/null 2>&1
cmp -s "$W/whole.gguf" "$W/again.gguf" && ok || bad "the recipe of what was merged, room too"

# What the libraries' documents show, as a file and on the command line (C-32, C-43, C-211).
same() { # TITLE SCHEME SETTINGS options…
  local calib=(); [[ $2 == bnb* ]] || calib=(--calib "$W/ids.jsonl" --samples 2 --seq-len 32)
  rm -rf "$W"/x "$W"/y "$W"/z
  printf '%s' "$3" > "$W/settings.json"
  "$Q" quantize $M --to "$2" "${calib[@]}" -o "$W/x" -q > /dev/null 2> "$W/err" &&
    "$Q" quantize $M --config "$W/settings.json" "${calib[@]}" -o "$W/y" -q > /dev/null 2> "$W/err" &&
    "$Q" quantize $M "${@:4}" "${calib[@]}" -o "$W/z" -q > /dev/null 2> "$W/err" &&
    [ "$(sum "$W/x")" = "$(sum "$W/y")" ] && [ "$(sum "$W/x")" = "$(sum "$W/z")" ] && ok || bad "$1" "$(cat "$W/err")"
}
same "AutoAWQ's quant_config" awq:w4g64 '{"zero_point": true, "q_group_size": 64, "w_bit": 4, "version": "GEMM"}' \
  --zero_point true --q_group_size 64 --w_bit 4 --version GEMM
same "AWQ's stored spelling" awq:w4g32 '{"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": true, "version": "gemm", "modules_to_not_convert": null}' \
  --quant_method=awq --bits=4 --group_size=32
same "GPTQ's quantize_config.json" gptq:w4g64+asym+act_order+v1 '{"quantization_config": {"bits": 4, "group_size": 64, "desc_act": true, "sym": false,
  "checkpoint_format": "gptq", "quant_method": "gptq", "lm_head": false, "true_sequential": true, "pack_dtype": "int32", "meta": {"quantizer": ["x"]}}}' \
  --to gptq --group_size 64 --desc_act true --sym false --checkpoint_format gptq
same "BitsAndBytesConfig" bnb:nf4+double+bf16 '{"load_in_4bit": true, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": true,
  "bnb_4bit_compute_dtype": "torch.bfloat16", "bnb_4bit_quant_storage": "uint8", "llm_int8_threshold": 6.0}' \
  --load_in_4bit true --bnb_4bit_quant_type nf4 --bnb_4bit_use_double_quant true --bnb_4bit_compute_dtype bf16
same "load_in_8bit" bnb:int8 '{"load_in_8bit": true}' --load_in_8bit true

# Refused in one line that names file, key and what is near.
refuse() { # TITLE SETTINGS TEXT options…
  printf '%s' "$2" > "$W/settings.json"
  "$Q" quantize $M --config "$W/settings.json" -n "${@:4}" > /dev/null 2> "$W/err"; local code=$?
  [ $code = 2 ] && [ "$(wc -l < "$W/err")" = 1 ] && grep -q -- "$3" "$W/err" && ok || bad "$1: exit $code" "$(cat "$W/err")"
}
refuse "a misspelt key" '{"to": "awq", "q_group_siz": 64}' "unknown key 'q_group_siz'.*nearest known is 'q_group_size'"
refuse "a key like nothing" '{"to": "awq", "architectures": []}' "unknown key 'architectures'.*none is like it"
refuse "a number of another kind" '{"to": "gguf:Q8_0", "samples": "many"}' "key 'samples'.*bad value 'many'"
refuse "a flag that is a text" '{"to": "gguf:Q8_0", "strict": "yes"}' "key 'strict'.*expected true or false"
refuse "the same thing twice" '{"to": "gguf:Q8_0", "bits": 4}' "'bits' sets a part of"
refuse "parts without a scheme" '{"bits": 4}' "'bits' without a scheme"
refuse "what no AWQ file of ours has" '{"to": "awq", "zero_point": false}' "expected zero_point true"
refuse "GEMV" '{"w_bit": 4, "version": "GEMV", "zero_point": true}' "version 'GEMV' is not written"
refuse "two loads" '{"load_in_4bit": true, "load_in_8bit": true}' "contradict each other"
refuse "a compute type" '{"load_in_4bit": true, "bnb_4bit_compute_dtype": "int4"}' "expected bfloat16, float16 or float32"
refuse "an expert's storage" '{"load_in_4bit": true, "bnb_4bit_quant_storage": "bfloat16"}' "bad value 'bfloat16': expected uint8"
refuse "a list for a text" '{"to": ["awq", "gptq"]}' "expected a text"
refuse "the recipe of another verb" '{"verb": "convert", "to": "gguf:Q8_0"}' "is a recipe of quantz convert"
refuse "a key twice" '{"to": "awq", "to": "gptq"}' "duplicate"
refuse "no object" '[1]' "expected an object"
refuse "no bits of bitsandbytes" '{"load_in_4bit": false}' "found neither"
refuse "bits of bitsandbytes" '{"to": "bnb", "bits": 8}' "'bits' is no setting of bitsandbytes"
refuse "a key of another method" '{"quant_method": "awq", "bits": 4, "desc_act": true}' "'desc_act' is no setting of awq"
refuse "two methods" '{"to": "gptq", "quant_method": "awq"}' "given as 'awq' and as 'gptq'"
refuse "a method that is not written" '{"quant_method": "hqq"}' "method 'hqq' is not written"
refuse "two spellings of a part" '{"to": "gptq", "w_bit": 4, "bits": 8}' "'w_bit' sets the same"
refuse "two spellings of an option" '{"to": "gptq", "damp_percent": 0.01, "damp": 0.5}' "set twice, under two names"
refuse "whole rows of AWQ" '{"quant_method": "awq", "q_group_size": -1}' "AWQ files have groups"
refuse "parts over a scheme of the file" '{"to": "gptq:w4g64"}' "give the whole as --to" --w_bit 8
refuse "a seed" '{"seed": 7}' "nothing that 'quantz quantize' does is random"
refuse "two files" '{}' "--config is given twice" --config "$W/settings.json"
refuse "a beginning of a library's name" '{}' "unknown option '--q_group_siz'.*q_group_size" --q_group_siz 64
# The artifact says what it was made with, and its recipe asks for it again.
"$Q" quantize $M --to gguf:Q4_0 --calib "$W/ids.jsonl" -o "$W/with.gguf" -q > /dev/null 2>&1
"$Q" quantize $M --config "$W/with.gguf" -o "$W/without.gguf" > /dev/null 2> "$W/err"
[ $? = 2 ] && grep -q "was made with calibration data: give --calib or --stats again" "$W/err" && ok || bad "a recipe without its data" "$(cat "$W/err")"
# Statistics beside tokens are of the same data, or refused; with the same they change nothing.
"$Q" calibrate $M --data "$W/ids.jsonl" --samples 4 --seq-len 48 -o "$W/s4" -q > /dev/null 2>&1
"$Q" calibrate $M --data "$W/ids.jsonl" --samples 5 --seq-len 48 -o "$W/s5" -q > /dev/null 2>&1
one=(quantize $M --to gptq:w4g32 --calib "$W/ids.jsonl" --samples 4 --seq-len 48 -q)
"$Q" "${one[@]}" -o "$W/t1" > /dev/null 2>&1; "$Q" "${one[@]}" --stats "$W/s4" -o "$W/t2" > /dev/null 2> "$W/err"
[ "$(sum "$W/t1")" = "$(sum "$W/t2")" ] && ok || bad "statistics of the same data" "$(cat "$W/err")"
"$Q" "${one[@]}" --stats "$W/s5" -o "$W/t3" > /dev/null 2> "$W/err"
[ $? = 2 ] && grep -q "were made from other data than --calib gives" "$W/err" && ok || bad "statistics of other data" "$(cat "$W/err")"
"$Q" quantize $M --to gguf:Q4_0 --calib "$W/ids.jsonl" --stats "$W/s4" -o "$W/t4.gguf" > /dev/null 2> "$W/err"
[ $? = 2 ] && grep -q "takes --calib or --stats: found both" "$W/err" && ok || bad "calibration twice" "$(cat "$W/err")"
# The command line wins over the file: a scheme, a part, a rule for single modules; the file of settings is an input.
wins() { # TITLE SETTINGS TEXT options…
  printf '%s' "$2" > "$W/settings.json"; rm -rf "$W/won"
  "$Q" quantize $M --config "$W/settings.json" "${@:4}" -o "$W/won" -q > /dev/null 2> "$W/err"
  grep -q -- "$3" "$W/won/quantz-manifest.json" 2> /dev/null && ok || bad "$1" "$(cat "$W/err")"
}
wins "a scheme" '{"quant_method": "gptq", "bits": 4, "group_size": 64, "sym": true}' '"to":"bnb:nf4"' --to bnb:nf4
wins "a part" '{"load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}' '"to":"bnb:int8"' --load_in_8bit true
wins "a rule" '{"to": "gptq:w4g32", "module": ["mlp=bits:8"], "samples": 2, "seq_len": 32}' '"module":\["down_proj=keep","mlp=bits:8"\]' --module down_proj=keep --calib "$W/ids.jsonl"
printf '{"to": "gguf:Q8_0"}' > "$W/settings.json"
"$Q" quantize $M --config "$W/settings.json" -o "$W/settings.json" -f > /dev/null 2> "$W/err"
[ $? = 2 ] && grep -q "is the same as the settings" "$W/err" && ok || bad "settings as output" "$(cat "$W/err")"
printf '{"to": "gguf:Q4_0", "name": "from file"}' > "$W/settings.json"
"$Q" quantize $M --config "$W/settings.json" --to gguf:Q8_0 -o "$W/won.gguf" -q > /dev/null 2>&1
grep -q '"to":"gguf:Q8_0".*"name":"from file"' "$W/won.gguf.manifest.json" && ok || bad "options win over the file"
echo "$passed passed, $failed failed, 0 skipped (${refused:-0} random recipes refused in words)"
[ $failed = 0 ]
