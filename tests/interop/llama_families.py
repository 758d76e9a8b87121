"""Every family's small model as quantz writes it (gguf:F32): does llama.cpp load it, and how far are its log-probabilities from the
recorded ones of transformers? One line a family, float arithmetic on both sides; docs/families.md has the figures. Where they are
large llama.cpp computes another model than the checkpoint means, and quantz has warned (formats/families-2.md section 14).
"""
import json
import os
import struct

import numpy as np

from common import WORK, ZOO, Llama, check, guard, made, perplexity, write_jsonl, zoo_dir

ROUNDING, GELU = 1e-3, 0.05  # GELU: ggml looks it up by halves
# family, variant: largest |difference| of a log-probability, and why it is not rounding alone
LIMITS = {
    ("llama", None): (ROUNDING, ""), ("llama3-rope", None): (ROUNDING, ""), ("mistral", "no-window"): (ROUNDING, ""),
    ("qwen2", None): (ROUNDING, ""), ("qwen3", None): (ROUNDING, ""), ("qwen3_moe-sparse", None): (ROUNDING, ""),
    ("mixtral", None): (ROUNDING, ""), ("phi3", "no-window"): (ROUNDING, ""), ("gemma2", "query-head-dim"): (GELU, "GELU by halves"),
    ("gemma3-6", None): (GELU, "GELU by halves"), ("gemma4", None): (GELU, "GELU by halves"), ("gemma4-moe", None): (GELU, "GELU by halves"),
    ("smollm3", None): (ROUNDING, ""), ("granite", None): (ROUNDING, ""), ("ministral3", None): (ROUNDING, ""), ("olmo2", None): (ROUNDING, ""),
    ("olmo3", None): (ROUNDING, ""), ("cohere2", None): (ROUNDING, ""), ("glm4_moe", None): (ROUNDING, ""), ("deepseek_v3", None): (ROUNDING, ""),
    ("qwen2_moe", None): (ROUNDING, ""),
    ("deepseek_v2", None): (30, "its groups count their two largest experts"), ("qwen3_next", None): (ROUNDING, ""), ("qwen3_5_moe", None): (ROUNDING, ""), ("llama4", "released-constants"): (ROUNDING, ""),
    ("llama4", None): (30, "chunk 8192, floor 8192 and scale 0.1 are its own"), ("mistral4", None): (30, "its queries do not grow"),
    ("gpt_oss", None): (30, "its yarn truncates"), ("phimoe", None): (30, "its norms, router and attention factor are others"),
}
REFUSED = {"opt": "llama.cpp has no architecture for it"}  # by quantz
NOT_LOADED = {"qwen3_5": "llama.cpp needs dk = dv"}        # by llama.cpp


def read(path):
    """{name: (dtype, array)}; bfloat16 as its bits."""
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    kinds = {"BF16": "<u2", "F16": "<f2", "F32": "<f4"}
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        out[name] = (t["dtype"], np.frombuffer(raw[8 + n + a:8 + n + b], kinds[t["dtype"]]).reshape(t["shape"]))
    return out


def write(path, tensors):
    head, at, data = {}, 0, []
    for name, (dtype, x) in tensors.items():
        b = np.ascontiguousarray(x).tobytes()
        head[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [at, at + len(b)]}
        at += len(b)
        data.append(b)
    text = json.dumps(head).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + b"".join(data))


def square():
    """qwen3_5 with dk = dv: of each value head the first dk rows, channels and columns."""
    src, out = os.path.join(ZOO, "qwen3_5"), os.path.join(WORK, "qwen3_5-square")
    os.makedirs(out, exist_ok=True)
    c = json.load(open(os.path.join(src, "config.json")))
    nk, nv, dk, dv = (c["linear_" + k] for k in ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim"))
    keep = np.concatenate([np.arange(h * dv, h * dv + dk) for h in range(nv)])
    rows = np.concatenate([np.arange(2 * nk * dk), 2 * nk * dk + keep])
    t = read(os.path.join(src, "model.safetensors"))
    for name, (dtype, x) in t.items():
        if name.endswith(("in_proj_qkv.weight", "conv1d.weight")):
            t[name] = (dtype, x[rows])
        elif name.endswith("in_proj_z.weight"):
            t[name] = (dtype, x[keep])
        elif name.endswith("linear_attn.out_proj.weight"):
            t[name] = (dtype, x[:, keep])
        elif name.endswith("linear_attn.norm.weight"):
            t[name] = (dtype, x[:dk])
    write(os.path.join(out, "model.safetensors"), t)
    c["linear_value_head_dim"] = dk
    json.dump(c, open(os.path.join(out, "config.json"), "w"))
    return out


def written(name, folder):
    return made(f"{name}.F32.gguf", folder, "--to", "gguf:F32", "--search", "compat")


def one(name, variant):
    limit, why = LIMITS[name, variant]
    folder, gold = zoo_dir(name, variant)
    name = name + (f"-{variant}" if variant else "")
    m = Llama(written(name, folder), 256)
    most = max(float(np.abs(m.logprobs(s["input_ids"]) - np.array(s["logprob_next"])).max()) for s in gold["sequences"])
    m.close()
    check(f"family-{name}", most <= limit, f"loads, |difference| of a log-probability at most {most:.2g} (limit {limit:g}{', ' + why if why else ''})")


def squared():
    """No golden numbers exist for it: quantz is the other side."""
    folder = square()
    rows = [s["input_ids"] for s in json.load(open(os.path.join(ZOO, "qwen3_5", "golden.json")))["sequences"]]
    ours = np.log(perplexity(folder, write_jsonl("square.jsonl", [{"ids": r} for r in rows]), "exact"))
    m = Llama(written("qwen3_5-square", folder), 256)
    diff = ours + np.concatenate([m.logprobs(r) for r in rows]).mean()
    m.close()
    check("family-qwen3_5-square", abs(diff) <= 1e-4, f"dk = dv: loads, ln ppl differs from quantz's by {diff:+.2g} (limit 1e-4)")


def with_heads(name):
    """A layer that predicts the token after the next stands behind the last: the model is the zoo's."""
    gold = json.load(open(os.path.join(ZOO, name, "golden.json")))
    m = Llama(written(f"{name}-mtp", os.path.join(ZOO, "../mtp", name)), 256)
    most = max(float(np.abs(m.logprobs(s["input_ids"]) - np.array(s["logprob_next"])).max()) for s in gold["sequences"])
    m.close()
    check(f"family-{name}-mtp", most <= ROUNDING, f"with a prediction head: loads, |difference| at most {most:.2g} (limit {ROUNDING:g})")


def refused():
    for name, why in REFUSED.items():
        try:
            written(name, os.path.join(ZOO, name))
            check(f"family-{name}", False, f"expected a refusal: {why}")
        except RuntimeError as e:
            check(f"family-{name}", "no architecture" in str(e), f"quantz refuses: {why}")
    for name, why in NOT_LOADED.items():
        path = written(name, os.path.join(ZOO, name))
        try:
            Llama(path, 256).close()
            check(f"family-{name}", False, f"expected that it does not load: {why}")
        except RuntimeError:
            check(f"family-{name}", True, f"does not load: {why}")


def main():
    for name, variant in LIMITS:
        guard(f"family-{name}{'-' + variant if variant else ''}", one, name, variant)
    for name in ("glm4_moe", "qwen3_next", "qwen3_5_moe"):
        guard(f"family-{name}-mtp", with_heads, name)
    guard("family-qwen3_5-square", squared)
    guard("family-refused", refused)


main()
