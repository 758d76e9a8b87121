# Helpers of the walk-throughs. A script sources this, then: `say "part of the story"`, `show CMD…` runs a command into $T (the
# last output), `has 'regex'` asserts on it, `same A B`, `near A B REL`, `fails CODE CMD…`. Ends with `finish`.
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "${1:?usage: $0 QUANTZ}")
cd "$(dirname "${BASH_SOURCE[1]}")/../.." || exit 2
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
T=$W/last; asserted=0 wrong=0 part=
M=models/market
say() { part=$1; }
bad() { wrong=$((wrong + 1)); echo "FAIL $(basename "$0"), $part: $1"; sed 's/^/    /' "$T" | head -${2:-12}; }
show() { "$@" > "$T" 2>&1; local code=$?; [ $code -eq 0 ] || bad "exit $code: $*"; }
fails() { local want=$1 code; shift; "$@" > "$T" 2>&1; code=$?; asserted=$((asserted + 1)); [ $code -eq "$want" ] || bad "expected exit $want, found $code: $*"; }
flat() { tr '\n' ' ' < "$T" | tr -s ' '; } # wrapped lines joined
has() { asserted=$((asserted + 1)); grep -Eq -- "$1" "$T" || flat | grep -Eq -- "$1" || bad "expected /$1/"; }
lacks() { asserted=$((asserted + 1)); if grep -Eq -- "$1" "$T"; then bad "did not expect /$1/"; fi; }
same() { asserted=$((asserted + 1)); [ "$1" = "$2" ] || bad "expected '$2', found '$1'"; }
near() { asserted=$((asserted + 1)); awk -v a="$1" -v b="$2" -v r="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= r * (b < 0 ? -b : b)) }' || bad "expected $2 within $3, found $1"; }
json() { grep -o "\"$1\":[^,}]*" "$T" | head -1 | cut -d: -f2; }          # first value of a key
of() { grep -o "\"format\":\"$1\"[^}]*" "$T" | grep -o "\"$2\":[^,}]*" | cut -d: -f2; } # value of a key in a format's row
digits() { same "$(awk -v x="$1" -v d="$2" 'BEGIN { k = index(d, "."); printf "%.*f", k ? length(d) - k : 0, x }')" "$2"; } # a number reads so when printed with these digits
after() { flat | sed -n "s/.*$1 *\\([-+0-9.e]*\\).*/\\1/p"; }             # the first number behind these words
finish() { echo "$(basename "$0"): $asserted assertions, $wrong wrong"; [ $wrong -eq 0 ] && [ $asserted -gt 0 ]; }
