# every code that the program can print is explained: those in its sources, in the manual, and the rules that pick names
{ grep -rhoE '"(CHK|PRE|MOD|CAL|PICK)-[A-Z0-9-]+"' src --include=*.c --include=*.def --exclude=*_test.c | tr -d '"'
  grep -rhoE '\b(CHK|PRE|MOD|CAL|PICK|E)-[A-Z][A-Z0-9-]*[A-Z0-9]\b' README.md docs/verbs | grep -v '^PRE-TP$' # PRE-TP-*: a family of three
  sed -n 's/^QZ_PICK(\.id = "\([^"]*\)".*/\1/p' src/deploy/pick.def; } | sort -u > $W/codes
echo "$(($(wc -l < $W/codes) >= 150)) at least 150 codes"
while read -r c; do $Q explain "$c" > $W/text 2>&1 && [ $(wc -l < $W/text) -ge 2 ] || echo "not explained: $c"; done < $W/codes
for c in E-FORMAT PRE-TP-ROW F-AWQ CAL-DUP K-08; do $Q explain $c; done
# an error is a document too where --json is asked for
$Q plan no-such-model --json
