# usage: awk -f scripts/check_layers.awk src/layers.txt FILES…
# Every include "layer/file.h" must name a layer that src/layers.txt allows for the including folder. Tests beside the
# source (*_test.c) are exempt. A layer that is used before its line is an error, so a cycle cannot be written.
# Headers that spell out a list (NAMES) are for files that name its rows, not for headers that carry one: else a new row of types.def
# recompiles two objects of three. Private headers of a table and of tests may.
BEGIN { split("codecs/types.h formats/dtypes.h model/families.h artifacts/schemes.h artifacts/gguf_ftypes.h", l, " "); for (i in l) names[l[i]] = 1 }
FILENAME == ARGV[1] {
    if ($0 ~ /^[ \t]*$/ || $0 ~ /^#/) next
    name = $1; sub(/:$/, "", name)
    for (i = 2; i <= NF; i++) {
        if (!($i in known)) { printf "%s:%d: layer '%s' is used before its own line\n", FILENAME, FNR, $i; bad++ }
        allow[name, $i] = 1
        unused[name " may include " $i] = FNR
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
    if (inc in names && FILENAME ~ /\.h$/ && FILENAME !~ /(kernels\/ops|kernels\/x86\/encode_lanes|artifacts\/testing)\.h$/) {
        printf "%s:%d: a header may not include the list \"%s\": carry the number, and include the list in the .c files that name a row\n", FILENAME, FNR, inc; bad++
    }
    delete unused[layer " may include " to[1]]
    if (!((layer, to[1]) in allow)) { printf "%s:%d: %s may not include \"%s\" (src/layers.txt)\n", FILENAME, FNR, layer, inc; bad++ }
}
END {
    for (i in unused) { printf "%s:%d: nobody needs that %s\n", ARGV[1], unused[i], i; bad++ }
    if (bad) { printf "%d include errors\n", bad; exit 1 }
}
