#!/usr/bin/env bash
# usage: run.sh install|cxx BUILD CC [SANITIZERS]   libquantz as its users meet it.
#   install: `cmake --install` into a fresh folder; the library exports quantz_* only; quantz.h compiles alone as C99 and C17;
#            examples/quantize.c, shared and static, prints the figures that the program prints and writes its bytes.
#   cxx:     the header as C++11 and C++20 without a warning, and a program against the installed library.
set -u
export LC_ALL=C.UTF-8
part=$1 build=$(realpath "$2") cc=$3 san=${4:+-fsanitize=$4}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
die() { echo "FAIL $1"; shift; [ $# -gt 0 ] && printf '%s\n' "$@"; exit 1; }

cmake --install "$build" --component library --prefix "$work/usr" > "$work/log" 2>&1 || die "cmake --install" "$(cat "$work/log")"
lib=$(dirname "$(find "$work/usr" -name 'libquantz.so')")
sed -i "s#^prefix=.*#prefix=$work/usr#" "$lib/pkgconfig/quantz.pc"
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
flags=$(pkg-config --cflags --libs quantz) || die "pkg-config"
warn="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

if [ "$part" = cxx ]; then
  case $cc in *clang*) cxx=clang++ ;; *) cxx=g++ ;; esac
  command -v $cxx > /dev/null || { echo "absent: $cxx"; exit 77; }
  for std in c++11 c++20; do
    $cxx -std=$std $warn $san tests/api/cxx.cpp -o "$work/cxx" $flags 2> "$work/log" || die "$std" "$(cat "$work/log")"
  done
  "$work/cxx" models/market || die "C++ program"
  exit 0
fi

other=$(nm -D --defined-only "$lib/libquantz.so" | awk '{print $3}' | grep -v '^quantz_')
if [ -z "$san" ]; then [ -z "$other" ] || die "exported beside quantz_*:" "$other"; fi
declared=$(grep -oE '\bquantz_[a-z_]+\(' "$work/usr/include/quantz.h" | tr -d '(' | sort -u)
for f in $declared; do nm -D --defined-only "$lib/libquantz.so" | grep -qE " T $f\$" || die "declared but not exported: $f"; done
echo '#include <quantz.h>' > "$work/alone.c"
for std in c99 c17; do $cc -std=$std $warn -c "$work/alone.c" -o "$work/alone.o" $(pkg-config --cflags quantz) 2> "$work/log" || die "header as $std" "$(cat "$work/log")"; done

$cc -std=c99 $warn $san examples/quantize.c -o "$work/shared" $flags 2> "$work/log" || die "example, shared" "$(cat "$work/log")"
$cc -std=c99 $warn $san examples/quantize.c -o "$work/static" $(pkg-config --cflags quantz) "$lib/libquantz.a" $(pkg-config --static --libs quantz | sed 's/-lquantz//') \
  2> "$work/log" || die "example, static" "$(cat "$work/log")"
diff <(awk '/^static quantz_status work/,/^}/' examples/quantize.c) <(awk '/^static quantz_status work/,/^}/' docs/api.md) || die "docs/api.md shows another example"
head -20 models/market/eval.jsonl > "$work/text.jsonl"
Q=$build/quantz
"$Q" quantize models/market --to gguf:Q4_0 -o "$work/cli.gguf" -q -t 1 > /dev/null || die "quantz quantize"
ppl=$("$Q" eval "$work/cli.gguf" --text "$work/text.jsonl" -q -t 1 | awk '$1 == "perplexity" {print $2}')
say=$("$Q" run "$work/cli.gguf" -p 'Convert temperature. 75 F' -q -t 1)
for kind in shared static; do
  "$work/$kind" models/market gguf:Q4_0 "$work/$kind.gguf" "$work/text.jsonl" 'Convert temperature. 75 F' > "$work/out" 2> "$work/err" || die "$kind example" "$(cat "$work/err")"
  cmp "$work/cli.gguf" "$work/$kind.gguf" || die "$kind: other bytes than the program's"
  grep -qF "gguf:Q4_0, " "$work/out" || die "$kind: scheme" "$(cat "$work/out")"
  grep -qF "perplexity $ppl (source " "$work/out" || die "$kind: perplexity $ppl expected" "$(cat "$work/out")"
  [ "$(tail -1 "$work/out")" = "$say" ] || die "$kind: answer '$say' expected" "$(cat "$work/out")"
done
"$work/shared" models/market gguf:Q9_9 "$work/x.gguf" "$work/text.jsonl" x > "$work/out" 2> "$work/err" && die "unknown scheme accepted"
[ ! -s "$work/out" ] && grep -qE '^error \(usage\): .*Q9_9' "$work/err" || die "unknown scheme" "$(cat "$work/out" "$work/err")"
echo "install, $(echo "$declared" | wc -l) functions, example: ok"
