"""bitsandbytes folders: transformers loads them on the CPU, dequantized linears equal quantz's, and the library makes the same bytes.

The bytes: every 4-bit weight, its scales and its quant_state against bitsandbytes' own quantization of the source's weights (NF4:
all codes equal; FP4: up to the sign of zero, CPU and CUDA differ there; nested codes: at most 2 % one off, quantz takes the exact
nearest).
"""
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch

from common import ZOO_MODELS, check, decoded, guard, logprobs, made, mean_ppl, perplexity, say, trained, write_jsonl, zoo_dir

SCHEMES = ["bnb:nf4", "bnb:nf4+double", "bnb:fp4", "bnb:fp4+double", "bnb:int8"]
PPL_TOLERANCE = {"trained": 0.01, "zoo": 0.05}  # bfloat16 on their side; int8 quantizes activations too


def folder_of(scheme, model, name):
    return made(f"{name}-{scheme}".replace(":", "-").replace("+", "-"), model, "--to", scheme)


def load(folder):
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(folder, device_map="cpu").eval()


def their_weight(module):
    import bitsandbytes.functional as F
    w = module.weight
    if w.dtype == torch.int8:
        return (w.data.float() * module.state.SCB.view(-1, 1) if module.state.SCB is not None else w.data.float() * w.SCB.view(-1, 1)) * 7.874015718698502e-3
    if w.quant_state.shape[-1] % 64:  # the library's CPU kernel decodes such rows wrongly; its plain torch code does not
        from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
        s = w.quant_state
        absmax = F.dequantize_blockwise(s.absmax, s.state2) + s.offset if s.nested else s.absmax
        return _dequantize_4bit_compute(w.data.reshape(-1), absmax, s.code, s.blocksize, s.shape, s.dtype).float()
    return F.dequantize_4bit(w.data, w.quant_state).float()


def dequantized(scheme, name, folder, theirs):
    ours = decoded(os.path.basename(folder), folder)
    different = 0
    for module, mine in ours.items():
        w = their_weight(theirs.get_submodule(module)).detach().numpy()
        different += int((w != mine).sum()) if w.shape == mine.shape else mine.size
    check(f"bnb-{name}-{scheme[4:]}-tensors", different == 0, f"{type(theirs.get_submodule(next(iter(ours)))).__name__}: {len(ours)} linears, {different} values differ")


def same_bytes(scheme, name, model, folder):
    """The library's quantization of the source against the file."""
    import bitsandbytes.functional as F
    from safetensors.torch import load_file
    source = {}
    for f in sorted(os.listdir(model)):
        if f.endswith(".safetensors"):
            source.update(load_file(os.path.join(model, f)))
    ours = load_file(os.path.join(folder, "model.safetensors"))
    kind, nested = scheme[4:7], scheme.endswith("double")
    codes = zeros = ties = scales = texts = n = off = 0
    rank = np.array([0, 1, 6, 7, 4, 5, 2, 3])  # FP4 codes by magnitude -> place
    rank = np.argsort(rank)
    for key in [k for k in ours if ".quant_state." in k]:
        base = key.split(".quant_state.")[0]
        packed, state = F.quantize_4bit(source[base], blocksize=64, compress_statistics=nested, quant_type=kind)
        a, b = ours[base].flatten().numpy(), packed.flatten().numpy()
        for shift in (0, 4):
            x, y = a >> shift & 15, b >> shift & 15
            differs = x != y
            zero = differs & (x % 8 == 0) & (y % 8 == 0)
            tie = differs & ~zero & (np.abs(rank[x % 8] - rank[y % 8]) == 1) & ((x // 8 == y // 8) | (x % 8 == 0) | (y % 8 == 0))
            zeros, ties = zeros + int(zero.sum()), ties + int(tie.sum())
            codes += int(differs.sum()) if kind == "nf4" else int((differs & ~zero & ~tie).sum())
        theirs = {k: v for k, v in state.as_dict(packed=True).items()}
        mine = {"absmax": ours[base + ".absmax"], "quant_map": ours[base + ".quant_map"]}
        if nested:
            mine |= {"nested_absmax": ours[base + ".nested_absmax"], "nested_quant_map": ours[base + ".nested_quant_map"]}
        for k, v in mine.items():
            t = theirs[k].flatten()
            if k == "absmax" and nested:
                n, off = n + t.numel(), off + int((t != v.flatten()).sum())
            elif k == "nested_absmax":
                scales += int((~torch.isclose(t, v.flatten(), rtol=1e-5)).sum())
            else:
                scales += int((t != v.flatten()).sum())
        text = json.loads(bytes(theirs[f"quant_state.bitsandbytes__{kind}"].tolist()))
        own = json.loads(bytes(ours[key].tolist()))
        texts += {k: v for k, v in text.items() if k != "nested_offset"} != {k: v for k, v in own.items() if k != "nested_offset"}
        texts += nested and abs(text["nested_offset"] / own["nested_offset"] - 1) > 1e-6
    good = codes == 0 and scales == 0 and texts == 0 and off <= 0.02 * max(n, 1) and ties <= 0.002 * sum(t.numel() for t in ours.values())
    check(f"bnb-{name}-{scheme[4:]}-bytes", good, f"against quantize_4bit: {codes} codes, {scales} scales, {texts} quant_states differ"
          + (f"; {zeros} zeros of the other sign, {ties} ties to the other neighbour (CPU rule against CUDA's)" if zeros else "") + (f"; nested codes {off} of {n}" if nested else ""))


def one(scheme, model, name, text, sequences, tolerance):
    folder = folder_of(scheme, model, name)
    theirs = load(folder)
    dequantized(scheme, name, folder, theirs)
    if not scheme.endswith("int8"):
        same_bytes(scheme, name, model, folder)
    if any(m.in_features % 64 for m in theirs.modules() if type(m).__name__ == "Linear4bit"):
        say("skip", f"bnb-{name}-{scheme[4:]}-logits", "not run: rows that are no multiple of 64 fail in bitsandbytes' CPU kernels, also on its own files")
        return
    a, b = mean_ppl(np, [logprobs(theirs, s) for s in sequences]), perplexity(folder, text, "exact")
    check(f"bnb-{name}-{scheme[4:]}-logits", abs(b / a - 1) <= tolerance, f"perplexity {a:.6g}, quantz {b:.6g}, difference {100 * (b / a - 1):+.4f} % (limit {100 * tolerance:g} %)")


def main():
    try:
        import bitsandbytes
        print(f"  bitsandbytes {bitsandbytes.__version__}")
    except Exception as e:  # noqa: BLE001 - the reason is the result
        say("skip", "bnb-transformers", f"bitsandbytes does not import here: {type(e).__name__}: {e}".replace("\n", " ")[:300])
        return
    torch.set_num_threads(2)
    for x in trained():
        sequences, text = x.score()
        for scheme in SCHEMES:
            guard(f"bnb-{x.name}-{scheme[4:]}", one, scheme, x.folder, x.name, text, sequences, PPL_TOLERANCE["trained"])
    for name, variant in ZOO_MODELS:
        model, gold = zoo_dir(name, variant)
        ids = [s["input_ids"] for s in gold["sequences"]]
        zoo_text = write_jsonl(f"{name}.jsonl", [{"ids": s} for s in ids])
        for scheme in ("bnb:nf4+double", "bnb:int8"):
            guard(f"bnb-{name}-{scheme[4:]}", one, scheme, model, name, zoo_text, ids, PPL_TOLERANCE["zoo"])


main()
