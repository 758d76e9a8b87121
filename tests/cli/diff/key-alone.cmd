# keys that nothing reads: unknown, known to be left out, and within an object
mkdir -p "$W/a" "$W/b"; cp tests/golden/cases/text-model/* "$W/a"; cp tests/golden/cases/text-model/* "$W/b"
sed -i '0,/{/s//{"foo_bar": 1, "logit_scale": 0.5, "extra": {"x": 1},/' "$W/a/config.json"; sed -i '0,/{/s//{"logit_scale": 1.0, "extra": {"x": 1.5},/' "$W/b/config.json"
$Q diff "$W/a" "$W/b" --strict --accept MOD-KEYS
