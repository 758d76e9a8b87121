# usage: awk -f scripts/check_sizes.awk FILES…
# Hard limits of style.md rule 1: 800 lines a file, 100 lines a function (a signature may wrap), 7 parameters; and 120
# columns a line, counted in characters whether this awk knows UTF-8 or not. Data tables (*/tables/*, *.def) are exempt.
BEGIN { if (length("é") > 1) tail = "[\200-\277]" }
function columns(s) { if (tail != "") gsub(tail, "", s); return length(s) }
function close_file() { if (file != "" && lines > 800 && file !~ /\/tables\//) { printf "%s: %d lines, limit 800\n", file, lines; bad++ } }
FNR == 1 { close_file(); file = FILENAME; inside = 0; begun = 0 }
columns($0) > 120 && FILENAME !~ /\/tables\// { printf "%s:%d: %d columns, limit 120\n", FILENAME, FNR, columns($0); bad++ }
function parameters(s) { sub(/\) *\{$/, "", s); return gsub(/,/, ",", s) + 1 }
{ lines = FNR; code = $0; sub(/[ \t]*(\/\*.*\*\/)?[ \t]*$/, "", code) }
!inside && /^[a-zA-Z_].*\(/ && !/^[a-z_]+ [a-zA-Z_ ]*=/ { name = code; begun = FNR } # a signature, a declaration or a macro's use
begun && begun != FNR { name = name " " code }
begun && code ~ /\{$/ && parameters(name) > 7 { printf "%s:%d: %d parameters, limit 7 (a struct): %.60s\n", FILENAME, begun, parameters(name), name; bad++ }
begun && code ~ /\{$/ { inside = 1; start = begun; begun = 0 }
begun && code ~ /[;}]$/ { begun = 0 }
/^}/ { if (inside && FNR - start > 100 && FILENAME !~ /\/tables\//) { printf "%s:%d: function of %d lines, limit 100: %.60s\n", FILENAME, start, FNR - start, name; bad++ } inside = 0 }
END { close_file(); if (bad) exit 1 }
