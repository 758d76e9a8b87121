"""GGUF files of the bundled model in llama.cpp: ids, perplexity on the same windows, greedy answers."""
import json
import os
import sys
import unicodedata

from common import MARKET, Llama, check, first_lines, guard, made, mean_ppl, perplexity, quantz

# with the importance matrix where the level takes one; MXFP4 is the type of experts alone in its own level, so a rule gives it to all
LEVELS = {**{level: [] for level in ["F16", "Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q3_K_M", "Q2_K", "TQ1_0", "TQ2_0", "Q1_0", "Q2_0", "NVFP4"]},
          **{level: ["--imatrix", "tests/golden/artifacts/market.imatrix.gguf"] for level in
             ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS"]},
          "MXFP4_MOE": ["--tensor-type", "blk=mxfp4"]}
LINES, IDS_LINES, TASKS, MAX_NEW = 60, 200, 8, 96
PPL_TOLERANCE = 0.005


def tokenizer_ids(path):
    from tokenizers import Tokenizer
    hf = Tokenizer.from_file(os.path.join(MARKET, "tokenizer.json"))
    rows, _ = first_lines(os.path.join(MARKET, "eval.jsonl"), IDS_LINES, "ids.jsonl")
    texts = [r["text"] for r in rows] + ["", " ", "a  b\n\n\tc", "\ufb01 \u00e9 \u00df \u6f22\u5b57 \U0001f642", "<|im_end|>x<|im_start|>", "12345 6'll don't"]
    m = Llama(path)
    different = [t for t in texts if m.tokenize(t) != hf.encode(t).ids]
    tokens = sum(len(hf.encode(t).ids) for t in texts)
    # GGUF cannot state the NFC normalizer: llama.cpp gives the source's ids once the caller has composed the text
    loose = ["cafe\u0301", "\u212b", "u\u0308ber"]
    composed = sum(m.tokenize(unicodedata.normalize("NFC", t)) == hf.encode(t).ids for t in loose)
    raw = sum(m.tokenize(t) == hf.encode(t).ids for t in loose)
    check("gguf-tokenizer-nfc", composed == len(loose), f"texts not in NFC: {composed} of {len(loose)} equal when composed first, {raw} of {len(loose)} as they are (known limit of the container)")
    m.close()
    check("gguf-tokenizer-ids", not different, f"{len(texts)} texts, {tokens} ids, {len(different)} texts differ from tokenizer.json in tokenizers" +
          (f", first {different[0]!r}" if different else ""))


def ppl(level, options, text, rows):
    import numpy as np
    path = made(f"market.{level}.gguf", MARKET, "--to", f"gguf:{level}", "--search", "compat", *options)
    ours = perplexity(path, text, "runtime")
    m = Llama(path)
    theirs = mean_ppl(np, [m.logprobs(m.tokenize(r["text"])) for r in rows])
    m.close()
    diff = ours / theirs - 1
    limit = PPL_TOLERANCE
    if abs(diff) > limit:  # a model that ternary codes without data have destroyed: rounding inputs to 8 bits alone moves it more
        limit = max(limit, abs(ours / perplexity(path, text, "exact") - 1))
    check(f"gguf-ppl-{level}", abs(diff) <= limit, f"llama.cpp {theirs:.6f}, quantz {ours:.6f}, difference {100 * diff:+.4f} % (limit {100 * limit:.2g} %)")


def greedy(path):
    tasks = [json.loads(line) for line in open(os.path.join(MARKET, "tasks.jsonl"))]
    step = len(tasks) // TASKS
    m = Llama(path)
    same = 0
    for t in tasks[::step][:TASKS]:
        user = t["instruction"] + "\n\n" + t["input"] if t.get("input") else t["instruction"]
        theirs = m.text(m.greedy(m.tokenize(m.chat(user)), MAX_NEW))
        ours = json.loads(quantz("run", path, "-p", user, "--temperature", "0", "-n", str(MAX_NEW), "--json", "-q"))["text"]
        same += ours == theirs
        if ours != theirs:
            print(f"  differs: {user!r}\n    llama.cpp {theirs!r}\n    quantz    {ours!r}", file=sys.stderr)
    m.close()
    check("gguf-greedy-Q8_0", same == TASKS, f"{same} of {TASKS} answers through the chat template equal llama.cpp's")


def main():
    rows, text = first_lines(os.path.join(MARKET, "eval.jsonl"), LINES, "eval.jsonl")
    for level, options in LEVELS.items():
        guard(f"gguf-ppl-{level}", ppl, level, options, text, rows)
    q8 = made("market.Q8_0.gguf", MARKET, "--to", "gguf:Q8_0", "--search", "compat")
    guard("gguf-tokenizer-ids", tokenizer_ids, q8)
    guard("gguf-greedy-Q8_0", greedy, q8)


main()
