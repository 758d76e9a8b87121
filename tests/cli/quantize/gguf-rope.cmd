# rotary settings that the reference's converter drops and its loader reads for every architecture: the file says them
edit() { mkdir -p "$W/$2"; cp tests/golden/zoo/"$1"/*.safetensors "$W/$2"; sed "$3" tests/golden/zoo/"$1"/config.json > "$W/$2/config.json"; }
edit gemma2 a 's/"rope_theta": 10000.0/"rope_theta": 500000.0/; s/"query_pre_attn_scalar": 24/"query_pre_attn_scalar": 32/'
edit gemma2 b 's/"rope_type": "default"/"rope_type": "linear", "factor": 4.0/; s/"sliding_window": 16/"sliding_window": null/; s/sliding_attention/full_attention/g; s/"query_pre_attn_scalar": 24/"query_pre_attn_scalar": 32/'
edit phi3 c 's/"sliding_window": 40/"sliding_window": null/'
printf '{"ids":[3,90,17,250,8,41,77,5,199,23,64,101,3,90,17,250,8,41,77,5]}\n' > "$W/t.jsonl"
for m in a b c; do
  "$Q" quantize "$W/$m" --to gguf:F32 --search compat -o "$W/$m.gguf" -q > "$W/log"
  "$Q" eval "$W/$m" "$W/$m.gguf" --text "$W/t.jsonl" --arith exact --json -q | grep -o '"ppl":[0-9.]*'
done
