# usage: awk -f scripts/check_sizes.awk FILES…
# Hard limits of style.md rule 1: 800 lines a file, 100 lines a function. Data tables (*/tables/*, *.def) are exempt.
function close_file() { if (file != "" && lines > 800 && file !~ /\/tables\//) { printf "%s: %d lines, limit 800\n", file, lines; bad++ } }
FNR == 1 { close_file(); file = FILENAME; inside = 0 }
{ lines = FNR }
/^[a-zA-Z_].*\)[ \t]*\{[ \t]*(\/\*.*)?$/ { name = $0; start = FNR; inside = 1 }
/^}/ { if (inside && FNR - start > 100 && FILENAME !~ /\/tables\//) { printf "%s:%d: function of %d lines, limit 100: %.60s\n", FILENAME, start, FNR - start, name; bad++ } inside = 0 }
END { close_file(); if (bad) exit 1 }
