#!/usr/bin/env bash
# Source B, the principles: rounding, granularity, memory, offload, the gate. Every worked example with its numbers.
# usage: b.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "C-24, C-25: the rule and the symmetric group"
show "$Q" explain quant --w 0.37 --s 0.1
has 'q 4, decoded 0\.4, error 0\.03'
digits "$(after 'max|w| \/ 7: scale')" 0.342857142857; digits "$(after 'max|w| \/ 7: scale')" 0.34286
digits "$(after 'mean error')" 0.10214285714; digits "$(after 'mean squared error')" 0.014228; digits "$(after 'largest')" 0.151429
decoded() { awk -v w="$1" '$1 == w && NF == 5 { print $4 }' "$T"; }
has '^ *0\.15 +0 '; has '^ *-1\.22 +-4 '; has '^ *2\.4 +7 '; has '^ *-0\.45 +-1 '
digits "$(decoded 0.15)" 0; digits "$(decoded -1.22)" -1.371; digits "$(decoded 2.4)" 2.4; digits "$(decoded -0.45)" -0.343
has '3\.7 +4$'; has '4\.2 +4$'; has '12\.1 +12$'               # C-29

say "C-26: the step of activations"
show "$Q" explain step
digits "$(after 'asymmetric: scale [0-9.]*, zero point 0, mean error')" 0; digits "$(after 'asymmetric: scale')" 0.200   # 3/15
digits "$(after '15 symmetric: scale')" 0.429; digits "$(after '15 symmetric: scale [0-9.]*, zero point 8, mean error')" 0.0400 # 3/7
same "$(sed -n '/^symmetric$/,/^$/p' "$T" | awk 'NR > 2 && NF { printf "%s ", $2 }')" "0 3 4 6 7 "
same "$(sed -n '/^asymmetric$/,$p' "$T" | awk 'NR > 2 && NF { printf "%s ", $2 }')" "0 6 9 13 15 "

say "C-30, C-151: finer scales, less error"
show "$Q" explain granularity --json
grep -o '"mean_squared_error":[^,}]*' "$T" | cut -d: -f2 | tr -d '"' > "$W/mse"
same "$(sort -g -r "$W/mse" | tr '\n' ' ')" "$(tr '\n' ' ' < "$W/mse")"; same "$(wc -l < "$W/mse")" 5
grep -o '"bits_weight":[^,}]*' "$T" | cut -d: -f2 | tr -d '"' > "$W/bits"   # and the overhead rises in the same order
same "$(sort -g "$W/bits" | tr '\n' ' ')" "$(tr '\n' ' ' < "$W/bits")"; same "$(wc -l < "$W/bits")" 5
show "$Q" explain outlier
times=$(sed -n 's/.*group scales: \([0-9]*\) times.*/\1/p' "$T"); asserted=$((asserted + 1)); [ "${times:-0}" -ge 10 ] || bad "less than ten times lower"

say "C-31, C-42, C-44: overhead and blocks"
show "$Q" explain overhead
has '^ *32 +4\.5 +4\.625$'; has '^ *64 +4\.25 +4\.3125$'; has '^ *128 +4\.125 +4\.15625$'; has '^ *1024 +4\.015625 +4\.01953$'
has '4\.126953'; has '0\.373 saved'
for t in q4_0:4.5 q4_1:5 q5_0:5.5 q5_1:6 q8_0:8.5 q2_K:2.625 q3_K:3.4375 q4_K:4.5 q5_K:5.5 q6_K:6.5625 iq4_xs:4.25 iq4_nl:4.5 iq3_s:3.4375 iq3_xxs:3.0625 mxfp4:4.25 nvfp4:4.5; do
  has "^${t%:*} .* ${t#*:}\$"
done

say "C-36, C-39, C-152: why AWQ and GPTQ work"
show "$Q" explain salience; has 'output error: 10\.01, and 2\.01'
show "$Q" explain curvature; has 'steep +25 +0\.2 +1$'; has 'flat +1 +0\.2 +0\.04$'; has 'costs 25 times'
show "$Q" explain compensation --json
read -r plain fed < <(sed -n 's/.*output error \([0-9.]*\) by.*alone, \([0-9.]*\) when.*/\1 \2/p' "$T")
asserted=$((asserted + 1)); awk -v a="$plain" -v b="$fed" 'BEGIN { exit !(b < a && b > 0) }' || bad "feedback does not lower the error: $plain, $fed"

say "C-113 to C-115: memory"
show "$Q" explain memory
has '70 billion +140\.0 +70\.0 +35\.0 +26\.2$'; has '7 billion +14\.0 +7\.0 +3\.5 +2\.625$'
has '1\.09375'; has '0\.27 +GB|0\.27$'; has '36\.37'; has '6\.4 GB usable'; digits "$(after '3\.5 GB =')" 3.3   # K-38: GiB

say "C-116 to C-118, C-185: offload and KV"
show "$Q" explain offload
has 'budget 3\.5 GiB, 22/32 layers'; has '13/80'; has 'even-size estimate +11/80'; has 'exact, last layers first +10/80'; has 'one layer more +11/80 +5\.985'; has 'output layer, apart +0\.862'
show "$Q" plan llama-3-70b --offload --memory 8GB --formats Q4_K_M --kv f16 --ctx 1; has '^gguf:Q4_K_M +42\.513 +11/80 +10/80'
show "$Q" plan llama-3-70b --levels --memory 8GB --json; lacks '"fits":true'
show "$Q" explain kv; has '= 32\.0$|32\.0 GiB'
show "$Q" plan llama-3-8b --json --users 32 --ctx 8192; same "$(json kv_bytes)" 34359738368; same "$(json kv_bytes_per_token)" 131072

say "C-110: speed with overhead"
show "$Q" explain speed
for r in '0 +14\.0 +3\.5 +4\.00' '1 +15\.0 +4\.5 +3\.33' '3 +17\.0 +6\.5 +2\.62' '5 +19\.0 +8\.5 +2\.24' '10 +24\.0 +13\.5 +1\.78' '20 +34\.0 +23\.5 +1\.45'; do has "^ *$r\$"; done
has '2\.6153846'

say "C-175 to C-177: the gate"
show "$Q" explain gate
has "^approved artifacts: \['AWQ-4bit'\]\$"; has 'FP16 .*rejected +memory_gb 14'; has 'p95_ms$'; has 'GPTQ-3bit .*rejected +accuracy 0\.85'

say "C-187: French traffic, English calibration"
lines() { while read -r t; do for k in 1 2 3 4 5; do echo "{\"text\":\"$t ($k)\"}"; done; done; }
lines > "$W/fr.jsonl" << 'F'
Bonjour, je voudrais savoir quand ma commande arrivera chez moi.
Le colis est endommagé, comment puis-je le renvoyer au vendeur ?
Pourquoi mon remboursement n'est-il pas encore sur mon compte ?
Je souhaite changer l'adresse de livraison de ma commande.
La lampe ne fonctionne plus depuis hier soir, que dois-je faire ?
Merci de me dire si ce canapé existe aussi en bleu.
Votre application ne me laisse pas entrer mon mot de passe.
Combien coûte la livraison vers la Belgique pour une armoire ?
F
lines > "$W/en.jsonl" << 'F'
Hello, I would like to know when my order will arrive.
The parcel is damaged, how can I send it back to the seller?
Why is the refund not on my account yet?
I want to change the delivery address of my order.
The lamp has not worked since last night, what should I do?
Please tell me whether this sofa also comes in blue.
Your application does not let me enter my password.
How much is the delivery of a wardrobe to Belgium?
F
fails 1 "$Q" check $M --calib "$W/en.jsonl" --traffic "$W/fr.jsonl"; has 'DOMAIN|LANG'

say "C-186: too large for the card: offload with a layer plan, or refused without the memory for it"
show "$Q" pick llama-3-70b --hardware rtx-4060 --ram 64GB; has 'GGUF Q4_K_M .*partial offload'
fails 1 "$Q" pick llama-3-70b --hardware rtx-4060 --ram 32GB; has '37\.1 GB of weights and 0\.6 GB of KV cache would lie in system'
finish
