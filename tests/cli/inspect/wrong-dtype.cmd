# an F8 weight in a float checkpoint: a dtype, not a shape; the container is shown all the same
$Q inspect tests/golden/cases/wrong-dtype; $Q eval tests/golden/cases/wrong-dtype --text tests/golden/cases/08-tied-in-config-but-own-lm_head/ids.jsonl
