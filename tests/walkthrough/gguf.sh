#!/usr/bin/env bash
# The sources' GGUF commands, one behind the other: the F16 file, the importance matrix in both forms, Q4_K_M, IQ4_XS with the matrix
# (in llama-quantize's order of arguments and in ours), and the table that decides.
# usage: gguf.sh QUANTZ
. "$(dirname "$0")/common.sh"
cd "$W" && M=$OLDPWD/$M

say "convert_hf_to_gguf.py: the F16 file"
show "$Q" quantize "$M" --to gguf:F16 -o m.F16.gguf
show "$Q" inspect m.F16.gguf; has 'gguf v3, F16'

say "llama-imatrix: both forms of the importance matrix, from one pass"
show "$Q" calibrate "$M" --data "$M/calibration.jsonl" -o m.stats --imatrix m.imatrix.dat
show "$Q" calibrate "$M" --data "$M/calibration.jsonl" -o n.stats --imatrix m.imatrix.gguf
for f in dat gguf; do show "$Q" imatrix stats "m.imatrix.$f" --json; cp "$T" "stats.$f"; asserted=$((asserted + 1)); [ -s "$T" ] || bad "no statistics of .$f"; done

say "llama-quantize IN OUT Q4_K_M"
show "$Q" quantize m.F16.gguf m.Q4_K_M.gguf Q4_K_M
show "$Q" inspect m.Q4_K_M.gguf; has 'Q4_K_M'; has '"to":"gguf:Q4_K_M"'; lacks 'imatrix'

say "llama-quantize --imatrix FILE IN OUT IQ4_XS: the same bytes from both forms"
show "$Q" quantize --imatrix m.imatrix.dat m.F16.gguf m.IQ4_XS.gguf IQ4_XS; has '42 of 42'
show "$Q" quantize m.F16.gguf --to gguf:IQ4_XS --imatrix m.imatrix.gguf -o other.gguf; lacks 'other weights' # measured on the folder, of which the F16 file is
show "$Q" inspect m.IQ4_XS.gguf; has 'IQ4_XS'; has '"with":"imatrix"'
show "$Q" diff m.IQ4_XS.gguf other.gguf; has '68 tensors: 68 equal, 0 different'

say "IQ2_XS needs the matrix, before any work"
fails 2 "$Q" quantize m.F16.gguf bad.gguf IQ2_XS; has 'importance|imatrix'

say "the table: KL, size and speed of each beside the source"
show "$Q" eval m.F16.gguf m.Q4_K_M.gguf m.IQ4_XS.gguf --against "$M" --text "$M/eval.jsonl" --windows 40 --arith exact --json; cp "$T" table; lacks 'other weights'
kl() { grep -oE '"kl":[^,}]*,"kl_low' table | cut -d: -f2 | cut -d, -f1 | sed -n "$1p"; }
asserted=$((asserted + 1))
awk -v f="$(kl 1)" -v q="$(kl 2)" -v i="$(kl 3)" 'BEGIN { exit !(f != "" && f < q && q < 0.01 && f < i && i < 0.01) }' || bad "KL of F16 $(kl 1), Q4_K_M $(kl 2), IQ4_XS $(kl 3)"
size() { stat -c %s "$1"; }
asserted=$((asserted + 1)); [ "$(size m.IQ4_XS.gguf)" -lt "$(size m.Q4_K_M.gguf)" ] && [ "$(size m.Q4_K_M.gguf)" -lt "$(size m.F16.gguf)" ] || bad "sizes"
finish
