# other verbs refuse too, and take the same word
C=tests/golden/cases; $Q eval $C/09-stored-biases-unused/src --text $C/08-tied-in-config-but-own-lm_head/ids.jsonl -q --accept MOD-UNUSED | sed -n 3p; $Q eval $C/09-stored-biases-unused/src --text $C/08-tied-in-config-but-own-lm_head/ids.jsonl
