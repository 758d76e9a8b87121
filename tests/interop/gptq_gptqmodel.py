"""GPTQ folders in GPTQModel's CPU kernels through transformers: every dequantized linear equals quantz's, and the perplexity.

transformers 5 hands GPTQ to optimum and GPTQModel. The folders of the bundled model come from `quantz quantize` (calibrated); other
widths and the zoo from `quantz convert --lossy` (rounded to nearest): here only the file format is judged.
"""
import json
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch

from common import MARKET, WORK, ZOO_MODELS, check, decoded, first_lines, guard, logprobs, made, mean_ppl, perplexity, quantz, say, write_jsonl, zoo_dir

LINES = 20
CALIBRATED = ["gptq:w4g128", "gptq:w4g128+asym", "gptq:w4g128+act_order"]
ROUNDED = ["gptq:w4g32+sym+v2", "gptq:w8g128", "gptq:w8g64+asym", "gptq:w4g-1", "gptq:w3g128", "gptq:w3g32+asym", "gptq:w2g64+asym",
           "gptq:w4g64+asym+v1"]  # the last: versions before 7.7 refuse v1 asymmetric files of other makers
PPL_TOLERANCE = {"market": 0.002, "zoo": 0.02}


def folder_of(scheme, model, name, calibrated=False):
    path = os.path.join(WORK, re.sub(r"[:+]", "-", f"{name}-{scheme}"))
    if not os.path.exists(path):
        if calibrated:
            made(os.path.basename(path), model, "--to", scheme, "--calib", os.path.join(MARKET, "calibration.jsonl"))
        else:
            quantz("convert", model, "--to", scheme, "--lossy", "-o", path, "-q")
    return path


def load(folder):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(folder, device_map="cpu").eval()


def one(scheme, model, name, text, sequences, tolerance, calibrated=False):
    label = f"gptq-{name}-{scheme[5:]}"
    folder = folder_of(scheme, model, name, calibrated)
    q = json.load(open(os.path.join(folder, "quantize_config.json")))
    theirs, ours = load(folder), decoded(os.path.basename(folder), folder)
    linears = different = 0
    worst, kernel = 0.0, ""
    for module, mine in ours.items():
        m = theirs.get_submodule(module)
        kernel = type(m).__name__
        w = m.dequantize_weight().T.float().detach().numpy()
        half = mine.astype(np.float16).astype(np.float32)  # the library multiplies in half precision
        linears += 1
        different += int((w != half).sum()) if w.shape == half.shape else half.size
        worst = max(worst, float(np.abs(w - half).max())) if w.shape == half.shape else 1e9
    trivial = all((m.g_idx.numpy()[1:] >= m.g_idx.numpy()[:-1]).all() for m in map(theirs.get_submodule, ours) if hasattr(m, "g_idx") and m.g_idx is not None)
    check(label + "-tensors", linears == len(ours) and different == 0,
          f"{kernel}, {q['checkpoint_format']}, g_idx {'in order' if trivial else 'permuted'}: {linears} linears, {different} values differ (largest {worst:g})")
    try:
        a = mean_ppl(np, [logprobs(theirs, s) for s in sequences])
    except RuntimeError as e:
        if "qGroupSize" not in str(e):
            raise
        say("skip", label + "-logits", f"{kernel} of the library cannot run whole-row groups: {e}".replace("\n", " ")[:160])
        return
    b = perplexity(folder, text, "exact")
    check(label + "-logits", abs(b / a - 1) <= tolerance, f"perplexity {a:.6g}, quantz {b:.6g}, difference {100 * (b / a - 1):+.4f} % (limit {100 * tolerance:g} %)")


def main():
    try:
        import gptqmodel
        import optimum.version
        print(f"  gptqmodel {re.sub(r'[^0-9.]', '', gptqmodel.__version__)}, optimum {optimum.version.__version__}")
    except Exception as e:  # noqa: BLE001
        say("skip", "gptq-gptqmodel", f"GPTQModel or optimum does not import here: {type(e).__name__}: {e}".replace("\n", " ")[:300])
        return
    from transformers import AutoTokenizer
    torch.set_num_threads(2)
    t = AutoTokenizer.from_pretrained(MARKET)
    rows, text = first_lines(os.path.join(MARKET, "eval.jsonl"), LINES, "eval20.jsonl")
    sequences = [t(r["text"]).input_ids for r in rows]
    for scheme in CALIBRATED:
        guard(f"gptq-market-{scheme[5:]}", one, scheme, MARKET, "market", text, sequences, PPL_TOLERANCE["market"], True)
    for scheme in ROUNDED:
        guard(f"gptq-market-{scheme[5:]}", one, scheme, MARKET, "market", text, sequences, PPL_TOLERANCE["market"])
    for name, variant in ZOO_MODELS:
        model, gold = zoo_dir(name, variant)
        ids = [s["input_ids"] for s in gold["sequences"]]
        zoo_text = write_jsonl(f"{name}.jsonl", [{"ids": s} for s in ids])
        for scheme in ("gptq:w4g32", "gptq:w4g32+asym"):
            guard(f"gptq-{name}-{scheme[5:]}", one, scheme, model, name, zoo_text, ids, PPL_TOLERANCE["zoo"])


main()
