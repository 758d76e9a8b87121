#!/usr/bin/env bash
# usage: doctor.sh QUANTZ INJECT   One fault at a time into a copy of a model (faults.tsv): doctor must call it unwell,
# name the step it was put into, and its cause (or its reader refuses the file for that cause). The copies without a fault must be well.
set -u
export LC_ALL=C.UTF-8 COLUMNS=400
Q=$(realpath "$1") I=$(realpath "$2") here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
zoo=tests/golden/zoo/qwen2 right=0 healthy=0 n=0 bad=0
bash tests/cli/ids.sh > "$w/ids.jsonl"
c="--calib $w/ids.jsonl --seq-len 64 --accept CAL-COUNT,CAL-DUP"
copy() { mkdir "$w/$2" && cp "$1"/*.* "$w/$2/"; }
copy $zoo plain; copy models/market market; rm -f "$w/market/README.md"
make() { "$Q" quantize $zoo --to "$2" -o "$w/$1" -q "${@:3}" > /dev/null 2> "$w/err" || { cat "$w/err"; exit 1; }; }
make gptq gptq:w4g32+asym $c; make awq awq:w4g32 $c; make fp8 ct:fp8_dynamic; make fp4 ct:nvfp4a16
mkdir "$w/gguf"; "$Q" quantize models/market --to gguf:Q4_0 -o "$w/gguf/m.gguf" -q > /dev/null 2>&1
at() { [ "${1##*/}" = gguf ] || [ -e "$1/m.gguf" ] && echo "$1/m.gguf" || echo "$1"; }
source_of() { case $1 in market | gguf) echo models/market ;; *) echo $zoo ;; esac; }
for base in plain market gptq awq fp8 fp4 gguf; do
  "$Q" doctor "$(source_of $base)" "$(at "$w/$base")" > "$w/out" 2> "$w/err" || { bad=1; echo "FAIL: $base without a fault is called unwell: $(tail -1 "$w/err")"; }
done
json() { # FILE KEY VALUE: replaces the key's value wherever it stands, or adds it
  if grep -q "\"$2\"" "$1"; then sed -i -E "s/(\"$2\"): *(\"[^\"]*\"|[^,}\n]+)/\1: $3/" "$1"; else sed -i "0,/{/s//{\"$2\": $3,/" "$1"; fi
}
while IFS=$'\t' read -r base change step cause; do
  case $base in '' | '#'*) continue ;; esac
  n=$((n + 1)); rm -rf "$w/x"; cp -r "$w/$base" "$w/x"; rm -f "$w/x/quantz-manifest.json"
  read -r kind a b d e <<< "$change"
  case $kind in
    weights) "$I" "$w/x/model.safetensors" $a $b $d || { bad=1; continue; } ;;
    json) json "$w/x/$a" "$b" "$d" ;;
    gguf) "$Q" gguf set "$w/x/m.gguf" "$a=$b" ${d:+"$d=$e"} -q > /dev/null 2>&1; a=m.gguf; rm -f "$w/x/m.gguf.manifest.json" ;;
    text) b=${b//\~/ } d=${d//\~/ }; sed -i "s/$b/$d/g" "$w/x/$a" ;;
  esac
  [ $kind = weights ] && a=model.safetensors
  cmp -s "$w/x/$a" "$w/$base/$a" && { bad=1; echo "FAIL: '$change' changed nothing"; continue; }
  "$Q" doctor "$(source_of $base)" "$(at "$w/x")" > "$w/out" 2> "$w/err"; code=$?
  said=$(grep -m1 WRONG "$w/out"); [ -n "$said" ] || said=$(tail -1 "$w/err")
  if [ $code -eq 0 ]; then healthy=$((healthy + 1)); echo "HEALTHY: $base: $change"
  elif grep -qE "^$step.*WRONG.*$cause|^quantz: error: .*$cause.*E-FORMAT" <<< "$said"; then right=$((right + 1))
  else echo "named otherwise: $base: $change: $(cut -c1-200 <<< "$said")"; fi
done < "$here/faults.tsv"
echo "doctor: $n faults, $right named rightly, $healthy called healthy"
[ $bad -eq 0 ] && [ $healthy -eq 0 ] && [ $((right * 40)) -ge $((n * 38)) ] # 38 of 40
