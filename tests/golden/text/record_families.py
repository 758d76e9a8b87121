"""Trains a small BPE under the pipeline of each family's published tokenizer and records what huggingface tokenizers 0.23.3 gives
(families/): NAME.json is the tokenizer, NAME.ids holds a line of ids for each text of texts.json (special tokens of the text are
read, none are added). The published vocabularies are not here; their patterns are (formats/tokenizer-json.md section 7). usage:
record_families.py; run in this folder. Not needed by the tests, which read the recorded files alone."""
import json, random
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers as pre, processors, trainers

CONTR = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LLAMA3 = CONTR + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = CONTR + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTR}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTR}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = O200K.replace(CONTR + "?", "").replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]

corpus = [json.loads(line)["text"].replace("\0", "") for line in open("llama3-bpe/cases.jsonl")] # jansson reads no NUL in a key
corpus += open("../../../LICENSE").read().split("\n\n")
FAMILIES = {  # patterns, ignore_merges, normalizer, special tokens, tokens that are not special, BOS
    "gpt_oss": ([O200K], False, None, ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>"], [], None),
    "qwen3_5": ([QWEN35], False, normalizers.NFC(), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>", "</think>", "<tool_call>"], None),
    "glm4_moe": ([LLAMA3], True, None, ["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>"], ["<think>", "</think>"], None),
    "deepseek_v3": (DEEPSEEK, False, None, ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"], [], "<｜begin▁of▁sentence｜>"),
    "tekken": ([TEKKEN], True, None, ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"], [], "<s>"),
    "llama4": ([O200K], False, None, ["<|begin_of_text|>", "<|header_start|>", "<|header_end|>", "<|eot|>"], [], "<|begin_of_text|>"),
}


def bytelevel(patterns, ignore, norm, special, plain, bos):
    t = Tokenizer(models.BPE(ignore_merges=ignore))
    if norm: t.normalizer = norm
    t.pre_tokenizer = pre.Sequence([pre.Split(Regex(p), "isolated", False) for p in patterns] + [pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False))
    return finish(t, special, plain, bos)


def finish(t, special, plain, bos):
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in special])
    t.add_tokens([AddedToken(s, normalized=False, special=False) for s in plain])
    if bos: t.post_processor = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, t.token_to_id(bos))])
    return t


def gemma(special, bos):
    """Sentencepiece's BPE as tokenizer.json has it: U+2581 for blanks, bytes for the rest, the split that never fires."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre.Sequence([pre.Split(Regex(r"\n+"), "isolated"), pre.Split("▁", "merged_with_next")])  # for the training
    first = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=900, special_tokens=first, limit_alphabet=300, show_progress=False))
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    j["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    t = Tokenizer.from_str(json.dumps(j))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return finish(t, special, [], bos)


def texts():
    rng = random.Random(20)
    out = ["", " ", "  ", "\n", "\n\n", "\n\n\n", " \n", "\n ", "\t\n x", "a\r\nb", "Hello world", " Hello  World ", "don't DON'T We'Ve it'S x'ſ", "1 12 123 1234 12345 1234567890 3.14 1,000",
           "camelCaseWords XMLHttpRequest ΑλφαΒήτα ПриветМир", "été e\u0301te\u0301 Å \u212b ﬁ ①②③ ½", "日本語の文 漢字かな 12345 中文，标点。", "한국어 문장 ไทย ភាសា हिन्दी नमस्ते", "مرحبا ١٢٣ שלום",
           "🚀 😶‍🌫️ 👩‍👩‍👧 🇩🇪", "x\u200dy \u200b \u00a0nbsp\u3000wide \u180e \u0085", "def f(x):\n    return x**2  # ok\n\n\n\tif a:\n\t\tb()", "https://example.com/a/b?c=d&e=f#g", "{\"k\": [1, 2.5, null], 'q': \"\\n\"}",
           "!!!??? ...--- ===> <<>> $%^&*()", "▁▁a ▁b a▁", "<|user|>hi<|end|>", "<think>\nno</think> <tool_call>", "[INST] a [/INST]</s>", "<bos><|turn>user\nhi<turn|>", "<｜User｜>x<｜Assistant｜>", "<|im_start|>a<|im_end|>\n", "[gMASK]<sop><|user|>",
           "<|begin_of_text|><|header_start|>user<|header_end|>\n\nhi<|eot|>", "<|channel>thought\n<channel|>x<|tool_call>call:f{}<tool_call|>", "aAAaaAAa iOS USAs McDonald's O'Neil's", "x/y//z/\n/", "a" * 60, "ab" * 40 + "1" * 30, " " * 20 + "x", "\n" * 12 + "x", "e\u0327\u0301 \u0300a q\u0307\u0323"]
    pools = ["abc XYZ'sdmt", "0123456789 .,", "\n\r\t  x", "äÖßéàñçøŁž ", "αβγΔΣς жЩыЁ", "日本語漢字かなカナ ", "한국어 ", "ะกขค ាខ្ម ", "!?./\\\"'`~@#-_=+[]{}<>|;:", "\u0301\u0308\u200d\ufe0fａＢ①Ⅳǅʰªⅷ"]
    for i in range(90):
        n, pick = rng.randrange(2, 24), rng.sample(pools, rng.randrange(1, 4))
        out.append("".join(rng.choice(rng.choice(pick)) for _ in range(n)))
    return out


def write(name, t, all_texts):
    j = json.loads(t.to_str())
    with open(f"families/{name}.json", "w") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ":" + json.dumps(v, ensure_ascii=False, separators=(",", ":")) for k, v in j.items()) + "\n}\n")
    with open(f"families/{name}.ids", "w") as f:
        for s in all_texts: f.write(" ".join(map(str, t.encode(s, add_special_tokens=False).ids)) + "\n")


all_texts = texts()
json.dump(all_texts, open("families/texts.json", "w"), indent=0)
for name, how in FAMILIES.items(): write(name, bytelevel(*how), all_texts)
write("gemma3", gemma(["<start_of_turn>", "<end_of_turn>"], "<bos>"), all_texts)
write("gemma4", gemma(["<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|\"|>"], "<bos>"), all_texts)
