"""Each family's pre-tokenizer as llama.cpp splits it: a small vocabulary under the published pattern (tests/golden/text/families)
goes into a GGUF file, llama.cpp reads the texts, and its ids are held against those of huggingface tokenizers."""
import ctypes
import json
import os
import struct

from common import ROOT, WORK, check, guard, quantz, vocabulary

TEXT = os.path.join(ROOT, "tests/golden/text")
# texts that llama.cpp reads otherwise, by what the file cannot say or the runtime does not do
KNOWN = {"qwen3_5": (2, "NFC, which no key holds"), "unigram": (181, "llama.cpp's unigram model has no byte tokens"),
         "unigram-nfkc": (3, "the table by the longest key, as sentencepiece has it; tokenizers goes by clusters")}
# families whose row names what is written
FAMILY_SAYS = ("gemma4", "glm4_moe", "llama4")


def model_with(zoo, tokenizer, rows, out):
    """A model of the zoo with `rows` rows of embedding and this tokenizer."""
    src = os.path.join(ROOT, "tests/golden/zoo", zoo)
    os.makedirs(out, exist_ok=True)
    config = json.load(open(os.path.join(src, "config.json")))
    old = config["vocab_size"]
    for key in ("vocab_size", "vocab_size_per_layer_input"):
        if key in config: config[key] = rows
    json.dump(config, open(os.path.join(out, "config.json"), "w"))
    with open(tokenizer) as f, open(os.path.join(out, "tokenizer.json"), "w") as g:
        g.write(f.read())
    tensors, data = {}, b""
    for name in sorted(f for f in os.listdir(src) if f.endswith(".safetensors")):
        raw = open(os.path.join(src, name), "rb").read()
        n = struct.unpack("<Q", raw[:8])[0]
        for key, t in json.loads(raw[8:8 + n]).items():
            if key == "__metadata__": continue
            b = raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
            if t["shape"][0] == old and ("embed" in key or "lm_head" in key):
                b = (b * (rows // old + 1))[:len(b) // old * rows]
                t["shape"][0] = rows
            tensors[key] = {"dtype": t["dtype"], "shape": t["shape"], "data_offsets": [len(data), len(data) + len(b)]}
            data += b
    head = json.dumps(tensors).encode()
    with open(os.path.join(out, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + data)
    return out


def llama_ids(path, texts):
    (c, model, vocab), out = vocabulary(path), []
    for t in texts:
        raw = t.encode()
        buf = (ctypes.c_int32 * (4 * len(raw) + 8))()
        n = c.llama_tokenize(vocab, raw, len(raw), buf, len(buf), False, True)
        out.append(list(buf[:n]))
    c.llama_model_free(model)
    return out


def one(name, tokenizer, texts, want):
    j = json.load(open(tokenizer))
    vocab = j["model"]["vocab"]
    rows = 1 + max([len(vocab) - 1] + [a["id"] for a in j["added_tokens"]])
    out = os.path.join(WORK, "tok-" + name)
    path = out + ".gguf"
    if not os.path.exists(path):
        quantz("quantize", model_with(name if name in FAMILY_SAYS else "llama", tokenizer, rows, out), "--to", "gguf:F16", "-o", path, "-q")
    got = llama_ids(path, texts)
    bad = [i for i in range(len(texts)) if got[i] != want[i]]
    known = KNOWN.get(name, (0, ""))
    if os.environ.get("QZ_INTEROP_SHOW"):
        for i in bad[:12]: print("   differs", json.dumps(texts[i]), want[i], got[i])
    check("tokenizer-" + name, len(bad) <= known[0], f"{len(texts)} texts, {len(bad)} differ" + (f" ({known[1]})" if bad else ""))


def main():
    texts = json.load(open(os.path.join(TEXT, "families/texts.json")))
    for f in sorted(os.listdir(os.path.join(TEXT, "families"))):
        if not f.endswith(".ids"): continue
        want = [[int(x) for x in line.split()] for line in open(os.path.join(TEXT, "families", f))]
        guard("tokenizer-" + f[:-4], one, f[:-4], os.path.join(TEXT, "families", f[:-4] + ".json"), texts, want)
    for name in ("unigram", "unigram-nfkc"):
        cases = [json.loads(line) for line in open(os.path.join(TEXT, name, "cases.jsonl"))]
        cases = [c for c in cases if "\0" not in c["text"]]
        guard("tokenizer-" + name, one, name, os.path.join(TEXT, name, "tokenizer.json"), [c["text"] for c in cases], [c["ids"] for c in cases])


main()
