"""Records what huggingface tokenizers 0.23.3 and transformers 5.24.0 give for splits at empty matches (splits/) and for tokens
that stand only beside tokenizer.json (companions/). usage: record_pipelines.py TOKENIZER_JSON; run in this folder. Not needed
by the tests, which read the recorded files alone."""
import json, os, shutil, sys, tempfile
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, decoders
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import AutoTokenizer, PreTrainedTokenizerFast

texts = ["ab 1234567xxa é", "", "1234567", "12 345 6789 0", "xx", "axxb\n\n c", "l'été, 12e\u0301t\u00e9 — fin", "   ", "a_b\u0301c", "日本 123456 語", "xaxxaxxx1x"]
tk = Tokenizer(models.BPE())
tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
tk.decoder = decoders.ByteLevel()
tk.train_from_iterator(texts * 3, trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
base = json.loads(tk.to_str())
json.dump(base, open("splits/base.json", "w"), ensure_ascii=False)
patterns = [r"(?=(\d{3})+(?!\d))", r"\d{1,3}(?=(?:\d{3})*\b)", r"\b", r"\B", "", "x*", r"(?<=a)", "$", r"\s*", r"x|(?=a)", r"\p{N}+|(?=é)"]
with open("splits/cases.jsonl", "w") as out:
    for p in patterns:
        for behavior in ["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"]:
            for invert in [False, True]:
                for kind in ["Regex", "String"]:
                    if kind == "String" and p not in ("", "x*"): continue
                    split = {"type": "Split", "pattern": {kind: p}, "behavior": behavior, "invert": invert}
                    base["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
                    t = Tokenizer.from_str(json.dumps(base))
                    out.write(json.dumps({"key": "pre_tokenizer", "value": base["pre_tokenizer"], "ids": [t.encode(x).ids for x in texts], "texts": texts}) + "\n")
    for p in patterns:
        for kind in ["Regex", "String"]:
            base["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
            base["normalizer"] = {"type": "Replace", "pattern": {kind: p}, "content": "_"}
            t = Tokenizer.from_str(json.dumps(base))
            kept, ids = [], []
            for x in texts:
                try: ids.append(t.encode(x).ids)
                except BaseException: continue # the library itself panics where it aligns an inserted text at the end
                kept.append(x)
            out.write(json.dumps({"key": "normalizer", "value": base["normalizer"], "ids": ids, "texts": kept}) + "\n")

def tok(c, **k): return {"content": c, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, **k}
cases = {
    "decoder": [{"added_tokens_decoder": {"290": tok("<|new|>")}}, {}],
    "decoder, another id": [{"added_tokens_decoder": {"295": tok("<|new|>")}}, {}],
    "decoder, an id in use": [{"added_tokens_decoder": {"5": tok("<|new|>")}}, {}],
    "decoder, order of ids": [{"added_tokens_decoder": {"291": tok("<|new|>"), "290": tok("<|b|>")}}, {}],
    "decoder, ids as numbers": [{"added_tokens_decoder": {"1000": tok("<|new|>"), "290": tok("<|b|>")}}, {}],
    "decoder, not special": [{"added_tokens_decoder": {"290": tok("<|new|>", special=False, normalized=True, rstrip=True)}}, {}],
    "decoder, a word of the vocabulary": [{"added_tokens_decoder": {"74": tok("h")}}, {}],
    "pad": [{"pad_token": "<|new|>"}, {}],
    "pad with flags": [{"pad_token": {"__type": "AddedToken", **tok("<|new|>", lstrip=True)}}, {}],
    "pad, a text": [{"pad_token": "hi"}, {}],
    "additional": [{"additional_special_tokens": ["<|new|>", "<|b|>"]}, {}],
    "extra list": [{"extra_special_tokens": ["<|new|>", "<|b|>"]}, {}],
    "extra names": [{"extra_special_tokens": {"image_token": "<|new|>"}}, {}],
    "pad and additional": [{"pad_token": "<|b|>", "additional_special_tokens": ["<|new|>"]}, {}],
    "four names": [{"eos_token": "<|new|>", "pad_token": "<|b|>", "unk_token": "<|u|>", "bos_token": "<|x|>"}, {}],
    "classes": [{"cls_token": "<|new|>", "mask_token": "<|b|>"}, {}],
    "image": [{"image_token": "<|new|>"}, {}],
    "decoder and pad": [{"added_tokens_decoder": {"290": tok("<|b|>")}, "pad_token": "<|new|>"}, {}],
    "map": [{}, {"special_tokens_map.json": {"pad_token": "<|new|>", "additional_special_tokens": ["<|b|>"]}}],
    "map before config": [{"pad_token": "<|b|>"}, {"special_tokens_map.json": {"pad_token": "<|new|>"}}],
    "map beside decoder": [{"added_tokens_decoder": {"290": tok("<|b|>")}}, {"special_tokens_map.json": {"pad_token": "<|new|>"}}],
    "map alone": [None, {"special_tokens_map.json": {"pad_token": "<|new|>"}}],
    "added": [{}, {"added_tokens.json": {"<|new|>": 290}}],
    "added, another id": [{}, {"added_tokens.json": {"<|new|>": 295, "<|b|>": 291}}],
    "added alone": [None, {"added_tokens.json": {"<|new|>": 290}}],
    "added beside decoder": [{"added_tokens_decoder": {"290": tok("<|b|>")}}, {"added_tokens.json": {"<|new|>": 291}}],
    "added and map": [{}, {"added_tokens.json": {"<|new|>": 290}, "special_tokens_map.json": {"pad_token": "<|new|>"}}],
}
texts = ["hi <|new|>x <|b|>", "hi  <|new|>  <|b|>hi<|u|><|x|>", "<|new|>", "h hi"]
shutil.copy(sys.argv[1], "companions/tokenizer.json")
with open("companions/cases.jsonl", "w") as out:
    for name, (config, files) in cases.items():
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(sys.argv[1], d)
            files = dict(files)
            if config is not None: files["tokenizer_config.json"] = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
            for f, v in files.items(): json.dump(v, open(os.path.join(d, f), "w"))
            t = PreTrainedTokenizerFast.from_pretrained(d) if config is None else AutoTokenizer.from_pretrained(d)
            ids = [t.encode(x, add_special_tokens=False) for x in texts]
            pad = -1 if t.pad_token_id is None else t.pad_token_id
            out.write(json.dumps({"name": name, "files": files, "size": len(t), "pad": pad, "ids": ids, "texts": texts}) + "\n")
