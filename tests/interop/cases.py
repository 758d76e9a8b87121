"""Models whose folders transformers, compressed-tensors and ModelOpt load: both trained ones and qwen3_moe of the zoo (groups of 32), with
calibration windows and scored sequences as ids; and the two comparisons: values against a library's, logits in float32.
"""
import json
import os
import random
import shutil

import numpy as np
import torch
from safetensors.torch import save_file

from common import WORK, check, logprobs, made, mean_ppl, perplexity, quantz, trained, write_jsonl, zoo_dir

WINDOWS, TOKENS = 16, 128  # of calibration
SCORED = 4                 # sequences
PPL_TOLERANCE = 1e-4


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


def compare_plain(name, folder, theirs, linears):
    """The folder's values against those of a library, {tensor: value}, as a float32 checkpoint beside it; returns that checkpoint."""
    plain = folder + "-plain"
    shutil.rmtree(plain, ignore_errors=True)
    os.makedirs(plain)
    save_file({k: v.float().contiguous() for k, v in theirs.items()}, os.path.join(plain, "model.safetensors"), {"format": "pt"})
    config = json.load(open(os.path.join(folder, "config.json")))
    config.pop("quantization_config", None)
    config["dtype"] = "float32"
    json.dump(config, open(os.path.join(plain, "config.json"), "w"))
    d = json.loads(quantz("diff", folder, plain, "--tensors", "--json", "-q"))
    rows = d["tensor_table"]["rows"]
    off = [r for r in rows if r["differ"] or r["folded"] != "no"]
    good = not off and d["missing"] == 0 and d["equal"] == d["tensors"] == len(rows) >= linears > 0
    check(f"{name}-values", good, f"{linears} linears, {d['tensors']} tensors, {sum(r['differ'] for r in off)} values differ, {d['missing']} missing"
          + (f"; first '{off[0]['tensor']}', largest {off[0]['largest_pct']} %" if off else ""))
    return plain


def plain_model(plain):
    """A float checkpoint in transformers."""
    from transformers import AutoModelForCausalLM
    m, info = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32, output_loading_info=True)
    if info["missing_keys"] or info["unexpected_keys"] or info["mismatched_keys"]:
        raise RuntimeError(f"keys that do not fit: {info}"[:300])
    return m.eval()


def compare_logits(name, model, case, folder, note):
    a, b = mean_ppl(np, [logprobs(model, s) for s in case.scored]), perplexity(folder, case.text, "exact")
    check(f"{name}-logits", abs(b / a - 1) <= PPL_TOLERANCE,
          f"{note}, perplexity {a:.6f}, quantz {b:.6f}, difference {100 * (b / a - 1):+.5f} % (limit {100 * PPL_TOLERANCE:g} %)")
