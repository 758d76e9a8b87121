#!/usr/bin/env bash
# usage: gguf_files.sh QUANTZ   GGUF files of every form: parts written, read, kept and refused by name; keys edited in place and anew.
# Outside truth: the layout of llama-gguf-split (formats/gguf-container.md section 3): names, the three keys, sizes in padded
# tensor bytes; a split model and the file it was split from hold the same tensors.
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "$1"); cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d); trap 'rm -rf "$W"' EXIT
R=$PWD Z=$PWD/tests/golden/zoo
cd "$W" || exit 2
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | head -10 | sed 's/^/      /'; }
is() { if [ "$2" = "$3" ]; then ok; else bad "$1: expected '$2', found '$3'"; fi; }
works() { local what=$1; shift; "$Q" "$@" > stdout 2> stderr && ok || bad "$what: exit $?" "$(cat stdout stderr)"; }
says() { if grep -qF -- "$2" stdout; then ok; else bad "$1: expected '$2'" "$(cat stdout)"; fi; }
refuses() { # WHAT TEXT command…: exit 2, one line that holds TEXT
  local what=$1 text=$2 code; shift 2
  "$Q" "$@" > stdout 2> stderr; code=$?
  is "$what: exit" 2 $code
  is "$what: error lines" 1 "$(grep -c '^quantz: error: ' stderr)"
  if grep '^quantz: error: ' stderr | grep -qF -- "$text"; then ok; else bad "$what: expected '$text'" "$(cat stderr)"; fi
}
same() { # WHAT A B: every tensor equal
  "$Q" diff "$2" "$3" --json > stdout 2> stderr
  if grep -q '"different":0' stdout && grep -q '"missing":0' stdout; then ok; else bad "$1" "$(cat stdout stderr)"; fi
}

# ---- written and read ----
works "one file" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf -q
works "parts by tensors" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf --split-max-tensors 10 -q
is "names" "a-00001-of-00004.gguf a-00002-of-00004.gguf a-00003-of-00004.gguf a-00004-of-00004.gguf a.gguf" "$(echo a*.gguf)"
works "inspect" inspect a-00002-of-00004.gguf; says "inspect" "gguf v3 in 4 parts, Q8_0"; says "inspect" "38 tensors"
same "tensors of the parts" a.gguf a-00003-of-00004.gguf
works "verify" verify a-00004-of-00004.gguf
is "hashes of all parts" 4 "$(grep -c 'hash of a-0000[1-4]-of-00004.gguf  ok' stdout)"
works "run" run a-00001-of-00004.gguf --prompt "1 2 3" --max-new 2 -q
printf '{"ids":[1,2,3,4,5,6,7,8]}\n' > ids.jsonl
works "eval" eval a-00002-of-00004.gguf --text ids.jsonl -q
mkdir size && works "parts by size" quantize "$Z/qwen2" --to gguf:Q8_0 -o size/b.gguf --split-max-size 1M -q
is "one part" "size/b-00001-of-00001.gguf" "$(echo size/*.gguf)"
works "dry run" quantize "$Z/qwen2" --to gguf:Q8_0 -o a2.gguf --split-max-tensors 10 -n
is "sizes of the dry run" "$(stat -c %s a-0*.gguf | paste -sd' ')" "$(sed -n 's/^part . of 4: \([0-9]*\) bytes/\1/p' stdout | paste -sd' ')"
works "already finished" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf --split-max-tensors 10 -q --resume; says "resume" "already finished"
works "parts kept" quantize a-00002-of-00004.gguf --to gguf:F16 -o k.gguf --keep-split -q
is "parts kept" 4 "$(ls k-*-of-00004.gguf | wc -l)"
works "joined" quantize a-00002-of-00004.gguf --to gguf:Q8_0 -o joined.gguf -q
same "joined" a.gguf joined.gguf
works "part of a mixture" quantize "$Z/mixtral" --to gguf:Q4_0 -o m.gguf --split-max-tensors 7 -q
works "whole mixture" quantize "$Z/mixtral" --to gguf:Q4_0 -o m.gguf -q
same "stacks of experts in parts" m.gguf m-00001-of-*.gguf

# ---- refused ----
cp -r . ../"$(basename "$W")".copy 2> /dev/null; D=../$(basename "$W").copy; trap 'rm -rf "$W" "$W.copy"' EXIT
back() { cp a-0* "$D"; }
rm "$D/a-00003-of-00004.gguf"
refuses "a missing part" "missing part: file '$D/a-00003-of-00004.gguf': part 3 of 4" inspect "$D/a-00001-of-00004.gguf"
cp a-00002-of-00004.gguf "$D/a-00003-of-00004.gguf"
refuses "a part twice" "a-00003-of-00004.gguf', key 'split.no': expected 2, found 1" inspect "$D/a-00001-of-00004.gguf"
back; cp a-00003-of-00004.gguf "$D/a-00002-of-00004.gguf"; cp a-00002-of-00004.gguf "$D/a-00003-of-00004.gguf"
refuses "parts out of order" "parts out of order: file '$D/a-00002-of-00004.gguf'" inspect "$D/a-00001-of-00004.gguf"
refuses "opened by one of them" "key 'split.no': expected 2, found 1" inspect "$D/a-00003-of-00004.gguf"
back; works "another model" quantize "$Z/qwen3" --to gguf:Q8_0 -o b.gguf --split-max-tensors 9 -q
cp b-00002-of-00004.gguf "$D/a-00002-of-00004.gguf"
refuses "a foreign part" "part of another model: file '$D/a-00002-of-00004.gguf'" inspect "$D/a-00001-of-00004.gguf"
back; cp a-00001-of-00004.gguf "$D/y.gguf"
refuses "a renamed part" "rename it" inspect "$D/y.gguf"
refuses "an output over the source" "it is never replaced" quantize a-00002-of-00004.gguf --to gguf:F16 -o a.gguf --keep-split --force
refuses "parts of one file" "is none; give --split-max-size" quantize a.gguf --to gguf:F16 -o x.gguf --keep-split
refuses "a size without unit" "bad value '10' for --split-max-size" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-size 10
refuses "no tensors" "bad value '0' for --split-max-tensors" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-tensors 0
refuses "two limits" "exclude each other" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-tensors 3 --split-max-size 1M
refuses "parts of a folder" "--split-max-size is for GGUF" quantize "$Z/qwen2" --to bnb -o x --split-max-size 1M
is "nothing was left" "" "$(echo x* | grep -v 'x\*')"

# ---- split and merge: bytes of llama-gguf-split (llama.cpp 0c1e57098, --split on this very file) ----
I=$R/tests/golden/artifacts/market.imatrix.gguf
sums() { sha256sum "$@" | cut -c1-16 | paste -sd' '; }
works "split by tensors" gguf split "$I" s --split-max-tensors 30
is "as llama-gguf-split --split-max-tensors 30" "6c89192702aa276e 8b82fa0df5d431ab 47b028caba6aec9c" "$(sums s-0000?-of-00003.gguf)"
works "split by size" gguf split "$I" t.gguf --split-max-size 1M
is "as llama-gguf-split --split-max-size 1M" 0e90e3b99b6455ec "$(sums t-00001-of-00001.gguf)"
works "an empty first part" gguf split "$I" u --split-max-tensors 50 --no-tensor-first-split
is "as --no-tensor-first-split" "1379f3a3c6a35020 b399aa6553860950 1b26f951577a9757" "$(sums u-0000?-of-00003.gguf)"
works "merge" gguf merge s-00003-of-00003.gguf merged.gguf
cmp -s "$I" merged.gguf && ok || bad "merge gives the file back"
works "merge of ours" gguf merge a-00001-of-00004.gguf a.merged.gguf
cmp -s a.gguf a.merged.gguf && ok || bad "parts merged are the file that quantize writes whole"
works "an empty first part is read" gguf merge u-00001-of-00003.gguf u.gguf
cmp -s "$I" u.gguf && ok || bad "merge with an empty first part"
# ---- what a file says of itself goes with its tensors ----
of() { grep -o '"'$2'": "[^"]*"' $1; }
works "manifest of the merge" verify a.merged.gguf; says "hash of the merge" "hash of a.merged.gguf  ok"
is "source of the merge" "$(of a.gguf.manifest.json source_sha256)" "$(of a.merged.gguf.manifest.json source_sha256)"
works "split of a file with one" gguf split a.gguf c --split-max-tensors 10 --json; says "manifest of the parts" '"manifest":true'
works "verify the parts" verify c-00002-of-00004.gguf; is "hashes of the parts" 4 "$(grep -c 'hash of c-0000[1-4]-of-00004.gguf  ok' stdout)"
is "recipe of the parts" "$(of a.gguf.manifest.json summary)" "$(of c-00001-of-00004.gguf.manifest.json summary)"
mkdir bare && cp c-0*.gguf bare
"$Q" check bare/c-00001-of-00004.gguf > stdout 2> stderr; is "the recipe in the keys is provenance" 0 "$(grep -c CHK-PROV stdout)"
works "merge without a manifest" gguf merge bare/c-00001-of-00004.gguf bare/m.gguf
[ -e bare/m.gguf.manifest.json ] && bad "a manifest out of nothing" || ok
cp c-00001-of-00004.gguf.manifest.json bare; printf x | dd of=bare/c-00002-of-00004.gguf bs=1 seek=$(($(stat -c %s c-00002-of-00004.gguf) - 40)) conv=notrunc 2> stderr
"$Q" gguf merge bare/c-00001-of-00004.gguf bare/n.gguf > stdout 2> stderr
grep -q 'is not carried over: hash of c-00002-of-00004.gguf: expected' stderr && ok || bad "a damaged part gets no new hash" "$(cat stderr)"
[ -e bare/n.gguf.manifest.json ] && bad "a manifest of a damaged part" || ok
cp a.gguf.manifest.json bare/m.gguf.manifest.json; cp c-00002-of-00004.gguf bare; rm bare/c-00001-of-00004.gguf.manifest.json
works "merge over another" gguf merge bare/c-00001-of-00004.gguf bare/m.gguf --force
[ -e bare/m.gguf.manifest.json ] && bad "the manifest of what was there before stays" || ok
refuses "merge of one file" "not a split model" gguf merge a.gguf x.gguf
refuses "merge over a part" "it is never replaced" gguf merge s-00001-of-00003.gguf s-00002-of-00003.gguf --force
refuses "merge over a file" "output exists" gguf merge s-00001-of-00003.gguf merged.gguf

# ---- keys edited ----
tensors() { "$Q" inspect "$1" --tensors --json | grep -o '"bytes":[0-9]*' | paste -sd' '; }
works "with room" quantize "$Z/qwen2" --to gguf:Q8_0 -o e.gguf --reserve 4K -q
more=$(($(stat -c %s e.gguf) - $(stat -c %s a.gguf))) # room, its key, and the recipe that names it
[ $more -ge 4096 ] && [ $more -le 4192 ] && ok || bad "room: $more bytes more"
size=$(stat -c %s e.gguf) inode=$(stat -c %i e.gguf)
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' > t.jinja
works "set" gguf set e.gguf general.name=Market 'general.license:str=mit' tokenizer.chat_template=@t.jinja
says "set" 'general.name: "qwen2" -> "Market"'; says "set" 'general.license: not there -> "mit"'; says "set" "edited in place"
is "in place" "$size $inode" "$(stat -c '%s %i' e.gguf)"
same "tensors of the edited file" a.gguf e.gguf
works "verify" verify e.gguf; says "hash" "hash of e.gguf  ok"
grep -q '"tokenizer.chat_template"' e.gguf.manifest.json && ok || bad "the manifest names the edited keys"
works "unset" gguf unset e.gguf general.license --json; says "unset" '"after":null'; says "unset" '"in_place":true'
printf '%5000s' > long
works "more than its room" gguf set e.gguf general.description=@long; says "anew" "written anew"; says "anew" "its header has no room"
works "verify" verify e.gguf
works "then in place" gguf set e.gguf general.name=Back; says "room again" "edited in place"
works "a part" gguf set a-00003-of-00004.gguf general.name=Parts
is "the file that changed" a-00001-of-00004.gguf "$(head -1 stdout)"; says "where keys are" "keys of a split model stand in its first part: 'a-00003-of-00004.gguf'"
says "its hash" "sha256 $(sha256sum < a-00001-of-00004.gguf | cut -c1-64)"
works "a part, as JSON" gguf set a-00002-of-00004.gguf general.name=Part --json
says "the file that changed" '"path":"a-00001-of-00004.gguf","asked":"a-00002-of-00004.gguf"'; says "its hash" "\"sha256\":\"$(sha256sum < a-00001-of-00004.gguf | cut -c1-64)\""
works "verify the parts" verify a-00002-of-00004.gguf
ln e.gguf second.gguf
works "a file with two names" gguf set e.gguf general.name=One; says "two names" "the file has other names"
is "the other keeps what it was" 1 "$("$Q" inspect second.gguf | grep -c 'Back\|gguf v3')"
works "a number keeps its type" gguf set e.gguf qwen2.rope.freq_base=500000
works "inspect" inspect e.gguf; says "rope" "rope theta 500000"
refuses "the architecture" "cannot be edited: it names the model's keys" gguf set e.gguf general.architecture=llama
refuses "the alignment" "cannot be edited: it says where the tensors' data lie" gguf set e.gguf general.alignment:u32=64
refuses "a count" "cannot be edited: it counts the tensors" gguf set e.gguf qwen2.block_count=2
refuses "a shape" "cannot be edited: it is the shape of tensors" gguf unset e.gguf qwen2.embedding_length
refuses "another type" "wrong type of key 'general.name': expected str" gguf set e.gguf general.name:u32=1
refuses "no number" "expected f32, found 'many'" gguf set e.gguf qwen2.rope.freq_base=many
refuses "a number too large" "expected u32, found '4294967296'" gguf set e.gguf qwen2.context_length=4294967296
refuses "a key without type" "give its type to add it, for example general.foo:str" gguf set e.gguf general.foo=1
refuses "an unknown key" "nearest is 'general.name'" gguf unset e.gguf general.nam
refuses "a value that breaks it" "the edit would break the file" gguf set e.gguf qwen2.rope.freq_base=0
refuses "no file" "no such file" gguf set none.gguf general.name=x
refuses "no value" "expected KEY=VALUE" gguf set e.gguf general.name
works "an array" quantize $R/models/market --to gguf:Q8_0 -o v.gguf -q
refuses "tokens" "has a value for each row of the embedding" gguf set v.gguf tokenizer.ggml.tokens=x
refuses "the id of no token" "expected the id of one of 4096 tokens, found 5000" gguf set v.gguf tokenizer.ggml.eos_token_id=5000
# ---- a GGUF file as source ----
works "a float file" quantize "$Z/qwen2" --to gguf:F16 -o f.gguf --reserve 1K -q
works "keys of its own" gguf set f.gguf general.name=Shop general.license:str=mit my.answer:u64=42
works "coded" quantize f.gguf --to gguf:Q4_0 -o q.gguf -q --override-kv qwen2.context_length=int:128 --override-kv general.author=str:me
says "carried" "keys: 2 of the source kept as they are"
works "inspect" inspect q.gguf; says "override" "context      128 tokens"; says "recipe" '"override_kv":["qwen2.context_length=int:128",'; says "recipe" '"general.author=str:me"]'
mkdir moved && mv q.gguf moved/; works "inspect without its manifest" inspect moved/q.gguf; says "moved" "in the file's own keys"; says "moved" "source_sha256 "; mv moved/q.gguf .
is "keys in the file" "general.author general.license general.name=Shop my.answer" \
  "$(grep -aoE 'general\.(license|author)|my\.answer|general\.name.{12}Shop' q.gguf | tr -d '\000-\011' | sed 's/general.name.*Shop/general.name=Shop/' | sort -u | paste -sd' ')"
works "its own name wins" quantize f.gguf --to gguf:Q4_0 -o n.gguf -q --name Mine
grep -aq 'general.name.\{12\}Mine' n.gguf && ok || bad "--name wins over the source's name"
works "copied, not coded again" quantize q.gguf --to gguf:Q4_0 -o q2.gguf -q
same "copied" q.gguf q2.gguf
refuses "coded again" "requantizing is off: 'q.gguf' is coded in Q4_0 already" quantize q.gguf --to gguf:Q8_0 -o x.gguf
works "coded again on purpose" quantize q.gguf r.gguf Q8_0 --allow-requantize -q
works "back to floats" quantize q.gguf --to gguf:F16 -o r16.gguf -q
# a folder without --config-dir: config.json and the tokenizer are made of the file's keys, or it says which key is not there
works "from the keys alone" quantize f.gguf --to bnb:nf4 -o keys -q
grep -q "config.json is made from the keys of 'f.gguf'" stderr && ok || bad "what was made is named" "$(cat stderr)"
works "from the keys alone, as" quantize f.gguf --to bnb:nf4 --config-dir "$Z/qwen2" -o dir -q
cmp -s keys/model.safetensors dir/model.safetensors && ok || bad "weights do not depend on who wrote config.json"
for m in llama qwen3 granite smollm3; do # mistral's window and gemma's scale of scores are lost on the way to GGUF already
  works "$m" quantize "$Z/$m" --to gguf:BF16 -o $m.gguf -q; works "$m from its keys" quantize $m.gguf --to bnb:nf4 -o $m.keys -q
  works "$m from its folder" quantize "$Z/$m" --to bnb:nf4 -o $m.dir -q
  for o in keys dir; do "$Q" eval $m.$o --text ids.jsonl --arith exact -q --json | grep -o '"ppl":[^,]*' > $o.ppl; done
  [ -s keys.ppl ] && cmp -s keys.ppl dir.ppl && ok || bad "$m computes the same" "$(cat keys.ppl dir.ppl)"
done
refuses "experts" "config.json cannot be rebuilt from the keys of 'm.gguf': how experts' weights are normalized" quantize m.gguf --to bnb:nf4 --allow-requantize -o x
works "phi3" quantize "$Z/phi3" --to gguf:F16 -o phi3.gguf -q
refuses "factors" "it holds factors of rotary positions" quantize phi3.gguf --to bnb:nf4 -o x
K=$R/models/market calib=(--calib $R/models/market/calibration.jsonl --samples 2 --seq-len 64 --propagate original --accept CAL-COUNT,CAL-RANK,CAL-LEN)
works "the bundled model" quantize $K --to gguf:BF16 -o k.gguf -q
works "awq from its keys" quantize k.gguf --to awq "${calib[@]}" -o k.keys -q; works "awq from its folder" quantize $K --to awq "${calib[@]}" -o k.dir -q
cmp -s k.keys/model.safetensors k.dir/model.safetensors && ok || bad "bytes of the weights"
for o in keys dir; do "$Q" eval k.$o --text $K/eval.jsonl --windows 20 --arith exact -q | grep -o 'token hash.*\|perplexity.*' > $o.txt; done
[ -s keys.txt ] && cmp -s keys.txt dir.txt && ok || bad "token ids and perplexity" "$(cat keys.txt dir.txt)"
"$Q" run k.keys -q -p "$(printf 'Convert temperature.\n\n75 F')" > stdout 2> stderr; says "chat template" "23.9 C"
works "a folder from a GGUF file" quantize f.gguf --to bnb:nf4 -o bnb --config-dir "$Z/qwen2" -q
works "verify" verify bnb
refuses "another model's configuration" "configuration of another model" quantize f.gguf --to bnb:nf4 -o x --config-dir "$Z/qwen3"
refuses "an override of the architecture" "cannot be edited" quantize f.gguf --to gguf:Q8_0 -o x.gguf --override-kv general.architecture=str:llama
refuses "an override without type" "expected KEY=TYPE:VALUE" quantize f.gguf --to gguf:Q8_0 -o x.gguf --override-kv a.b=1
refuses "an override of a folder" "--override-kv is for GGUF" quantize "$Z/qwen2" --to bnb -o x --override-kv a.b=int:1

# ---- what a key may be: types that readers take, and values that leave the model what it is ----
refuses "a whole number for a float" "wrong type of key 'qwen2.rope.freq_base' for --override-kv: expected f32, found u32" quantize f.gguf --to gguf:Q8_0 -o x.gguf --override-kv qwen2.rope.freq_base=int:10000
refuses "a float for a count" "expected u32, found f32" quantize "$Z/qwen2" --to gguf:Q8_0 -o x.gguf --override-kv qwen2.context_length=float:64
refuses "a key that is not there yet" "'qwen2.rope.scaling.factor' for --override-kv: expected f32, found str" quantize "$Z/qwen2" --to gguf:Q8_0 -o x.gguf --override-kv qwen2.rope.scaling.factor=str:2
refuses "another kind of attention" "would make another model of" gguf set a.gguf qwen2.attention.causal:bool=false
works "what it is anyway" gguf set e.gguf qwen2.attention.causal:bool=true
works "taken back" gguf unset e.gguf qwen2.attention.causal

# ---- parts of two models of equal shapes: ours say whose they are ----
mkdir two && cp -r "$Z/qwen2" two/m && for f in two/m/*.safetensors; do n=$(stat -c %s "$f"); printf '\1\2' | dd of="$f" bs=1 seek=$((n - 2)) conv=notrunc 2> /dev/null; done
works "parts of one" quantize "$Z/qwen2" --to gguf:Q8_0 -o two/p.gguf --split-max-tensors 10 -q
works "parts of the other" quantize two/m --to gguf:Q8_0 -o two/o.gguf --split-max-tensors 10 -q
for i in 2 3; do cp two/o-0000$i-of-00004.gguf two/p-0000$i-of-00004.gguf; done
refuses "a part of the other" "two/p-00002-of-00004.gguf', key 'quantz.source_sha256': expected" inspect two/p-00001-of-00004.gguf

# ---- an importance matrix by hand: two counts for a matrix that is no stack ----
le() { local v=$1 i; for i in $(seq $2); do printf "\\x$(printf %02x $((v & 255)))"; v=$((v >> 8)); done; }
text() { le ${#1} 8; printf %s "$1"; }
{ printf 'GGUF'; le 3 4; le 2 8; le 4 8
  text general.type; le 8 4; text imatrix
  text imatrix.datasets; le 9 4; le 8 4; le 0 8
  text imatrix.chunk_count; le 4 4; le 1 4; text imatrix.chunk_size; le 4 4; le 8 4
  text blk.0.attn_q.weight.in_sum2; le 2 4; le 32 8; le 2 8; le 0 4; le 0 8
  text blk.0.attn_q.weight.counts; le 2 4; le 1 8; le 2 8; le 0 4; le 256 8; } > counts.gguf
n=$(stat -c %s counts.gguf); head -c $(((32 - n % 32) % 32)) /dev/zero >> counts.gguf
{ for i in $(seq 64); do printf '\0\0\200\77'; done; printf '\0\0\0\101\0\0\0\101'; head -c 24 /dev/zero; } >> counts.gguf
refuses "two counts of one matrix" "tensor 'blk.0.attn_q.weight': expected 1 count of rows, found 2" quantize "$Z/qwen2" --to gguf:Q4_0 --imatrix counts.gguf -o x.gguf
printf '\1\0\0\0\10\0\0\0a\33[1m.wt\2\0\0\0\2\0\0\0\0\0\200\77\0\0\100\100' > control.dat
refuses "control bytes in a name" "expected UTF-8 without control bytes" imatrix stats control.dat
works "a text" gguf set e.gguf general.name=Latin1
at=$(grep -abo Latin1 e.gguf | head -1 | cut -d: -f1); cp e.gguf latin.gguf; printf '\351' | dd of=latin.gguf bs=1 seek=$at conv=notrunc 2> /dev/null
refuses "a text that is not UTF-8" "text is not UTF-8: file 'latin.gguf', key 'general.name'" inspect latin.gguf
refuses "parts without a name" "expected a name for the parts, for example './a.gguf'" gguf split a.gguf ./
at=$("$Q" inspect f.gguf --tensors --json | tr '{' '\n' | sed -n 's/.*"output_norm.weight".*"offset":\([0-9]*\).*/\1/p')
cp f.gguf huge.gguf; for i in $(seq 64); do printf '\312\362\111\161'; done | dd of=huge.gguf bs=1 seek=$at conv=notrunc 2> /dev/null
"$Q" quantize huge.gguf --to gguf:Q8_0 -o x.gguf -q > stdout 2> stderr; is "a huge norm: exit" 3 $?
grep -q "not finite.*E-NUMERIC" stderr && ok || bad "a huge norm is no fault of the program" "$(cat stderr)"

# ---- a record beside another file: what stood here before was replaced ----
works "a record" quantize "$Z/qwen2" --to gguf:Q8_0 -o old.gguf --reserve 4K -q
printf 'quantz-undo 2\n' > head; { cat head; le 999 8; le 30 8; le 1 8; printf 'ab'; } > old.gguf.undo
sha256sum < old.gguf.undo | cut -c1-64 | tr -d '\n' >> old.gguf.undo
works "another file's record stops nobody" inspect old.gguf
works "an edit" gguf set old.gguf general.name=New
grep -q "old.gguf.undo' is removed: it was the record of an edit of another file" stderr && ok || bad "the record is named" "$(cat stderr)"
[ -e old.gguf.undo ] && bad "the record is gone" || ok

cp a.gguf i.gguf; printf 'quantz-undo 1\n' > i.gguf.undo
refuses "a damaged record" "not a record of an edit" gguf repair i.gguf
refuses "an interrupted edit" "an edit was interrupted" inspect i.gguf
rm i.gguf.undo; works "nothing to repair" gguf repair i.gguf
is "nothing was left" "" "$(ls | grep -E 'partial|undo|lock')"

echo "gguf_files: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
