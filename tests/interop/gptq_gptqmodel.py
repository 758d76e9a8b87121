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

from common import WORK, ZOO_MODELS, check, decoded, guard, logprobs, made, mean_ppl, perplexity, quantz, say, trained, write_jsonl, zoo_dir

COMPAT = ["--search", "compat"]
CALIBRATED = [("gptq:w4g128", []), ("gptq:w4g128", COMPAT), ("gptq:w4g128+asym", []), ("gptq:w4g128+act_order", []), ("gptq:w4g128+asym+act_order", COMPAT)]
MODULES = ["--module", "down_proj=bits:8,group_size:32", "--module", "layers.{0,3}.self_attn=keep", "--module", "{q,k,v}_proj=asym,group_size:64",
           "--module", "o_proj=act_order"]
ROUNDED = ["gptq:w4g32+sym+v2", "gptq:w8g128", "gptq:w8g64+asym", "gptq:w4g-1", "gptq:w3g128", "gptq:w3g32+asym", "gptq:w2g64+asym",
           "gptq:w4g64+asym+v1"]  # the last: versions before 7.7 refuse v1 asymmetric files of other makers
PPL_TOLERANCE = {"trained": 0.002, "zoo": 0.02}


def rounded(scheme, model, name):
    path = os.path.join(WORK, re.sub(r"[:+]", "-", f"{name}-{scheme}"))
    if not os.path.exists(path):
        quantz("convert", model, "--to", scheme, "--lossy", "-o", path, "-q")
    return path


def through_transformers(folder):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(folder, device_map="cpu").eval()


def through_gptqmodel(folder):
    """The library's own loader (bfloat16 unless told): optimum, which transformers asks, does not read `dynamic`."""
    from gptqmodel import GPTQModel
    out = os.dup(1)  # it prints what it reads: only results go to standard output
    os.dup2(2, 1)
    try:
        return GPTQModel.load(folder, device="cpu", dtype=torch.float16).model.eval()
    finally:
        os.dup2(out, 1)
        os.close(out)


def compare_tensors(label, folder, theirs):
    q = json.load(open(os.path.join(folder, "quantize_config.json")))
    linears = different = negative = 0
    worst, kernels, in_order = 0.0, set(), True
    for module, mine in decoded(os.path.basename(folder), folder).items():
        m = theirs.get_submodule(module)
        kernels.add(type(m).__name__)
        coded = hasattr(m, "dequantize_weight")
        w = (m.dequantize_weight().T if coded else m.weight).float().detach().numpy()
        half = mine.astype(np.float16).astype(np.float32)  # the library multiplies in half precision
        linears += 1
        different += int((w != half).sum()) if w.shape == half.shape else half.size
        worst = max(worst, float(np.abs(w - half).max())) if w.shape == half.shape else 1e9
        negative += int((m.scales.float() < 0).sum()) if coded and getattr(m, "scales", None) is not None else 0
        if getattr(m, "g_idx", None) is not None:
            in_order &= bool((m.g_idx.numpy()[1:] >= m.g_idx.numpy()[:-1]).all())
    check(label + "-tensors", linears > 0 and different == 0,
          f"{', '.join(sorted(kernels))}, {q['checkpoint_format']}, g_idx {'in order' if in_order else 'permuted'}, {negative} scales below 0: "
          f"{linears} linears, {different} values differ (largest {worst:g})")
    return ", ".join(sorted(kernels)), negative


def compare_logits(label, folder, theirs, kernel, text, sequences, tolerance):
    try:
        a = mean_ppl(np, [logprobs(theirs, s) for s in sequences])
    except RuntimeError as e:
        if "qGroupSize" not in str(e):
            raise
        say("skip", label + "-logits", f"{kernel} of the library cannot run whole-row groups: {e}".replace("\n", " ")[:160])
        return
    b = perplexity(folder, text, "exact")
    check(label + "-logits", abs(b / a - 1) <= tolerance, f"perplexity {a:.6g}, quantz {b:.6g}, difference {100 * (b / a - 1):+.4f} % (limit {100 * tolerance:g} %)")


def one(label, folder, text, sequences, tolerance, load=through_transformers):
    theirs = load(folder)
    kernel, negative = compare_tensors(label, folder, theirs)
    compare_logits(label, folder, theirs, kernel, text, sequences, tolerance)
    return negative


def calibrated(x, scheme, options, text, sequences):
    label = f"gptq-{x.name}-{scheme[5:]}" + ("-compat" if options == COMPAT else "")
    folder = made(re.sub(r"[:+]", "-", label), x.folder, "--to", scheme, *x.calibration, *options)
    negative = one(label, folder, text, sequences, PPL_TOLERANCE["trained"])
    if scheme == "gptq:w4g128" and not options:  # the default search of symmetric files turns grids round where that helps
        check(label + "-signs", negative > 0, f"{negative} scales below 0 went through the library")


def modules(x, text, sequences):
    """Settings of single modules (`dynamic`): the library's own loader, and its own view of what engines make of the keys."""
    from gptqmodel.quantization import QuantizeConfig
    from gptqmodel.utils.model import fused_unit_dynamic_conflicts
    label = f"gptq-{x.name}-modules"
    folder = made(label, x.folder, "--to", "gptq:w4g128", *x.calibration, *MODULES)
    theirs = through_gptqmodel(folder)
    kernel, _ = compare_tensors(label, folder, theirs)
    got = {f"{m.bits} g{m.group_size} {'sym' if m.sym else 'asym'}" if hasattr(m, "bits") else "float"
           for n, m in theirs.named_modules() if n.endswith("_proj")}
    want = {"8 g32 sym", "float", "4 g64 asym", "4 g128 sym"}
    check(label + "-settings", got == want, "settings of modules: " + ", ".join(sorted(got)))
    q = QuantizeConfig.from_pretrained(folder)
    conflicts = fused_unit_dynamic_conflicts([n for n, _ in theirs.named_modules()], q)
    check(label + "-fused", not conflicts, f"fused_unit_dynamic_conflicts, what vLLM and SGLang would see: {len(conflicts)}")
    compare_logits(label, folder, theirs, kernel, text, sequences, PPL_TOLERANCE["trained"])


def main():
    try:
        import gptqmodel
        import optimum.version
        print(f"  gptqmodel {re.sub(r'[^0-9.]', '', gptqmodel.__version__)}, optimum {optimum.version.__version__}")
    except Exception as e:  # noqa: BLE001
        say("skip", "gptq-gptqmodel", f"GPTQModel or optimum does not import here: {type(e).__name__}: {e}".replace("\n", " ")[:300])
        return
    torch.set_num_threads(2)
    for x in trained():
        sequences, text = x.score()
        for scheme, options in CALIBRATED:
            guard(f"gptq-{x.name}-{scheme[5:]}", calibrated, x, scheme, options, text, sequences)
        guard(f"gptq-{x.name}-modules", modules, x, text, sequences)
        for scheme in ROUNDED if x.name == "market" else []:
            label = f"gptq-{x.name}-{scheme[5:]}"
            guard(label, lambda: one(label, rounded(scheme, x.folder, x.name), text, sequences, PPL_TOLERANCE["trained"]))
    for name, variant in ZOO_MODELS:
        model, gold = zoo_dir(name, variant)
        ids = [s["input_ids"] for s in gold["sequences"]]
        zoo_text = write_jsonl(f"{name}.jsonl", [{"ids": s} for s in ids])
        for scheme in ("gptq:w4g32", "gptq:w4g32+asym"):
            label = f"gptq-{name}-{scheme[5:]}"
            guard(label, lambda: one(label, rounded(scheme, model, name), zoo_text, ids, PPL_TOLERANCE["zoo"]))


main()
