"""Folders of compressed-tensors, integers and floats, of both trained models and of qwen3_moe of the zoo.

Values: the library's own decompression, written as a float32 checkpoint, against the folder in `quantz diff`.
Loading: transformers with compressed-tensors on the CPU, decompressed and run in float32, against `quantz eval --arith exact`.
Cache scales: maxima of transformers' cache over the calibration's own tokens.
"""
import json
import os
import random
import re
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
from safetensors.torch import save_file

from common import WORK, check, guard, logprobs, made, mean_ppl, perplexity, quantz, say, trained, write_jsonl, zoo_dir
from ct_common import decompressed, tensors

WINDOWS, TOKENS = 16, 128  # of calibration
SCORED = 4                 # sequences
MIXED = ["ct:nvfp4", "--module", "self_attn=fp8", "--module", "layers.1.mlp=w4a16_asym+g32"]
# (label, options, needs calibration); {g}: groups of 32 where a model is narrower than 128
LEVELS = [("fp8", ["ct:fp8"], True), ("fp8_dynamic", ["ct:fp8_dynamic"], False), ("fp8_block", ["ct:fp8_block"], False),
          ("nvfp4", ["ct:nvfp4"], True), ("nvfp4a16", ["ct:nvfp4a16"], False), ("mxfp4", ["ct:mxfp4"], False),
          ("mxfp4a16", ["ct:mxfp4a16"], False), ("mxfp6a16", ["ct:mxfp6a16"], False), ("mxfp8", ["ct:mxfp8"], False),
          ("int8", ["ct:int8"], False), ("int8-static", ["ct:int8+static"], True), ("w4a16", ["ct:w4a16{g}"], False),
          ("w4a16_asym", ["ct:w4a16_asym{g}"], False), ("w4a8", ["ct:w4a8{g}"], False), ("w4afp8", ["ct:w4afp8"], False),
          ("mixed", MIXED, True), ("fp8_dynamic-kv", ["ct:fp8_dynamic+kv"], True), ("w4a16-kv_heads", ["ct:w4a16{g}+kv_heads"], True)]
PPL_TOLERANCE = 1e-4
SCALE_TOLERANCE = 1e-3


class Case:
    """A model: calibration windows and scored sequences as ids."""

    def __init__(self, name, folder, small, calibration, scored):
        self.name, self.folder, self.small, self.windows, self.scored = name, folder, small, calibration, scored[:SCORED]
        self.text = write_jsonl(f"{name}-scored.jsonl", [{"ids": s} for s in self.scored])
        self.calib = write_jsonl(f"{name}-windows.jsonl", [{"ids": s} for s in calibration])

    def artifact(self, label, options, calibrated):
        options = [o.replace("{g}", "+g32" if self.small else "") for o in options]
        if calibrated:
            options += ["--calib", self.calib, "--seq-len", str(TOKENS), "--no-bos", "--accept", "CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN"]
        return made(f"{self.name}-{label}", self.folder, "--to", *options)


def cases():
    out = []
    for t in trained():
        from transformers import AutoTokenizer
        data = "calibration.jsonl" if t.name == "market" else "data/docs.calib.txt"
        raw = open(os.path.join(t.folder, data)).read()
        if data.endswith("jsonl"):
            raw = "\n".join(json.dumps(json.loads(line), ensure_ascii=False) for line in raw.splitlines())
        ids = AutoTokenizer.from_pretrained(t.folder)(raw, add_special_tokens=False).input_ids
        out.append(Case(t.name, t.folder, False, [ids[i * TOKENS:(i + 1) * TOKENS] for i in range(WINDOWS)], t.score()[0]))
    model, gold = zoo_dir("qwen3_moe", None)
    r = random.Random(7)
    out.append(Case("qwen3_moe", model, True, [[r.randrange(3, 256) for _ in range(TOKENS)] for _ in range(WINDOWS)],
                    [s["input_ids"] for s in gold["sequences"]]))
    return out


def values(case, label, folder):
    """The folder against the library's decompression of it; returns that checkpoint."""
    plain = os.path.join(WORK, f"{case.name}-{label}-plain")
    shutil.rmtree(plain, ignore_errors=True)
    os.makedirs(plain)
    theirs, linears = decompressed(folder)
    save_file({k: v.float().contiguous() for k, v in theirs.items()}, os.path.join(plain, "model.safetensors"), {"format": "pt"})
    config = json.load(open(os.path.join(folder, "config.json")))
    del config["quantization_config"]
    config["dtype"] = "float32"
    json.dump(config, open(os.path.join(plain, "config.json"), "w"))
    d = json.loads(quantz("diff", folder, plain, "--tensors", "--json", "-q"))
    rows = d["tensor_table"]["rows"]
    off = [r for r in rows if r["differ"] or r["folded"] != "no"]
    good = not off and d["missing"] == 0 and d["equal"] == d["tensors"] == len(rows) >= linears
    check(f"ct-{case.name}-{label}-values", good, f"{linears} linears, {d['tensors']} tensors, {sum(r['differ'] for r in off)} values differ, {d['missing']} missing"
          + (f"; first '{off[0]['tensor']}', largest {off[0]['largest_pct']} %" if off else ""))
    return plain


def float32(folder):
    """The folder in transformers: loaded as it is, decompressed by compressed-tensors, weights alone quantized, run in float32."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging
    logging.disable_progress_bar()
    m, info = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", output_loading_info=True)
    left = sorted(info["missing_keys"]) + sorted(info["unexpected_keys"]) + [str(x) for x in info["mismatched_keys"]]
    if left:
        raise RuntimeError(f"keys that do not fit: {left[:4]} and {len(left)} in all")
    m.hf_quantizer.compressor.decompress_model(m)
    n = 0
    for module in m.modules():
        if hasattr(module, "quantization_scheme"):
            module.quantization_enabled = False  # neither inputs nor the cache
            n += 1
    return torch.nn.Module.float(m.eval()), n  # its own float() refuses quantized models; these are no more


def load(case, label, folder):
    theirs, n = float32(folder)
    a, b = mean_ppl(np, [logprobs(theirs, s) for s in case.scored]), perplexity(folder, case.text, "exact")
    check(f"ct-{case.name}-{label}-logits", n > 0 and abs(b / a - 1) <= PPL_TOLERANCE,
          f"{n} modules with a scheme, perplexity {a:.6f}, quantz {b:.6f}, difference {100 * (b / a - 1):+.5f} % (limit {100 * PPL_TOLERANCE:g} %)")


def cache_scales(case, label, folder, heads):
    """Scales of the cache: amax / 448 over the calibration's tokens, in the float model that the calibration ran."""
    from transformers import AutoModelForCausalLM
    m = AutoModelForCausalLM.from_pretrained(case.folder, dtype=torch.float32).eval()
    layers = m.config.num_hidden_layers
    top = None
    for ids in case.windows:
        with torch.no_grad():
            cache = m(torch.tensor([ids]), use_cache=True).past_key_values
        now = [[t[0].abs().amax((1, 2) if heads else None).flatten() for t in (cache.layers[i].keys, cache.layers[i].values)] for i in range(layers)]
        top = now if top is None else [[torch.maximum(x, y) for x, y in zip(p, q)] for p, q in zip(top, now)]
    have, worst, n, shapes = tensors(folder), 0.0, 0, set()
    for i in range(layers):
        for j, name in enumerate(("k_scale", "v_scale")):
            t = have[f"model.layers.{i}.self_attn.{name}"]
            shapes.add(f"{str(t.dtype)[6:]} {list(t.shape)}")
            x, y = t.float().flatten(), top[i][j] / 448
            if x.shape != y.shape:
                raise RuntimeError(f"layer {i} {name}: {list(x.shape)} scales, {list(y.shape)} maxima")
            worst, n = max(worst, float(((x - y).abs() / y).max())), n + x.numel()
    check(f"ct-{case.name}-{label}-cache", worst <= SCALE_TOLERANCE, f"{n} scales ({', '.join(sorted(shapes))}), farthest from amax / 448 of transformers' cache {worst:.2e} (limit {SCALE_TOLERANCE:g})")


def one(case, label, options, calibrated):
    folder = case.artifact(label, options, calibrated)
    guard(f"ct-{case.name}-{label}-values", values, case, label, folder)
    guard(f"ct-{case.name}-{label}-logits", load, case, label, folder)
    if "kv" in label:
        guard(f"ct-{case.name}-{label}-cache", cache_scales, case, label, folder, "heads" in label)


def main():
    torch.set_num_threads(2)
    only = os.environ.get("QZ_INTEROP_CASE", "")
    for case in cases():
        for level in LEVELS:
            name = f"ct-{case.name}-{level[0]}"
            if re.search(only, name):
                guard(name, one, case, *level)


main()
