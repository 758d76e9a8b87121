"""Adapters as GGUF: base and adapter in llama.cpp give the log-probabilities that quantz gives with the same two files.

For PEFT's adapters of tests/golden/lora whose base GGUF can say: the files that `convert ADAPTER --to gguf` writes as F32
and as Q8_0, beside a float32 GGUF of the base. Truth besides: PEFT's own log-probabilities (golden.json).
"""
import json
import os

import numpy as np

from common import ROOT, ZOO, Llama, check, guard, made, perplexity, quantz, write_jsonl

LIMIT = 2e-5      # ln(perplexity), float on both sides
FLOOR = 1e-3      # the same with 8-bit activations
PEFT = 2e-3       # a log-probability against PEFT's (Q8_0: not compared)
SETS = [("llama-plain", "llama"), ("llama-rslora", "llama"), ("llama-embed", "llama"), ("qwen3_moe-experts", "qwen3_moe-sparse")]


def logprobs(model, adapter, gold):
    m = Llama(model, 256)
    c = m.c
    a = c.llama_adapter_lora_init(m.model, adapter.encode())
    if not a:
        raise RuntimeError(f"llama.cpp does not load '{adapter}'")
    set_all = getattr(c, "llama_set_adapters_lora", None)
    array = (c.llama_adapter_lora_p_ctypes * 1)(a)
    scale = (m.ctypes.c_float * 1)(1.0)
    if set_all(m.ctx, array, 1, scale) != 0:
        raise RuntimeError("llama_set_adapters_lora failed")
    x = np.concatenate([m.logprobs(s["input_ids"]) for s in gold["sequences"]])
    m.close()
    return x


def one(name, base, level):
    folder = os.path.join(ROOT, "tests/golden/lora", name)
    with open(os.path.join(folder, "golden.json")) as f:
        gold = json.load(f)
    model = made(f"{base}.F32.gguf", os.path.join(ZOO, base), "--to", "gguf:F32")
    adapter = os.path.join(os.path.dirname(model), f"{name}.{level}.lora.gguf")
    said = json.loads(quantz("convert", folder, "--base", os.path.join(ZOO, base), "--to", f"gguf:{level}", "-o", adapter, "--json", "-f"))
    text = write_jsonl(f"{name}.jsonl", [{"ids": s["input_ids"]} for s in gold["sequences"]])
    theirs = logprobs(model, adapter, gold)
    ours = np.log(json.loads(quantz("eval", model, "--text", text, "--arith", "exact", "--lora", adapter, "--json", "-q"))["rows"][0]["ppl"])
    plain = np.log(perplexity(model, text, "exact"))
    diff, limit = ours + theirs.mean(), LIMIT
    if level != "F32":  # its activations have 8 bits in llama.cpp, F16's 16: what that rounding does there (three standard errors of the mean)
        limit = max(FLOOR, 3 * np.std(theirs - logprobs(model, adapter.replace(level, "F32"), gold)) / np.sqrt(len(theirs)))
    good, more = abs(diff) <= limit and abs(ours - plain) > 100 * LIMIT, ""
    if level == "F32":
        worst = np.abs(theirs - np.concatenate([s["logprob_next"] for s in gold["sequences"]])).max()
        good &= worst <= PEFT
        more = f"; llama.cpp against PEFT, worst log-probability {worst:.2g} (limit {PEFT})"
    check(f"lora-{name}-{level}", good, f"ln ppl without {plain:.6f}, with {ours:.6f}; llama.cpp with the file {diff:+.7f} (limit {limit:.2g}){more}; {said['tensors']} tensors, {said['other_types']} of another type")


def main():
    for name, base in SETS:
        for level in ["F32", "Q8_0"]:
            guard(f"lora-{name}-{level}", lambda: one(name, base, level))


main()
