# usage: awk -f scripts/check_layers.awk src/layers.txt FILES…
# Every include "layer/file.h" must name a layer that src/layers.txt allows for the including folder. Tests beside the
# source (*_test.c) are exempt. A layer that is used before its line is an error, so a cycle cannot be written.
FILENAME == ARGV[1] {
    if ($0 ~ /^[ \t]*$/ || $0 ~ /^#/) next
    name = $1; sub(/:$/, "", name)
    for (i = 2; i <= NF; i++) {
        if (!($i in known)) { printf "%s:%d: layer '%s' is used before its own line\n", FILENAME, FNR, $i; bad++ }
        allow[name, $i] = 1
    }
    known[name] = 1; allow[name, name] = 1
    next
}
FILENAME ~ /_test\.c$/ { next }
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split(FILENAME, part, "/")
    for (i = 1; i in part; i++) if (part[i] == "src") layer = part[i + 1]
    inc = $0; sub(/^[^"]*"/, "", inc); sub(/".*$/, "", inc)
    if (inc ~ /^\.\.?\//) { printf "%s:%d: relative include \"%s\": expected \"layer/file.h\"\n", FILENAME, FNR, inc; bad++; next }
    n = split(inc, to, "/")
    if (inc == "quantz.h" && layer == "api") next
    if (n < 2 || !(to[1] in known)) { printf "%s:%d: include \"%s\": expected \"layer/file.h\"\n", FILENAME, FNR, inc; bad++; next }
    if (!((layer, to[1]) in allow)) { printf "%s:%d: %s may not include \"%s\" (src/layers.txt)\n", FILENAME, FNR, layer, inc; bad++ }
}
END { if (bad) { printf "%d include errors\n", bad; exit 1 } }
