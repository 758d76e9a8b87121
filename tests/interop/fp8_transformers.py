"""FP8 folders: transformers (FineGrainedFP8, dequantized while loading, which is what it does without a GPU) in float32; its weights
equal quantz's, its logits those of `quantz eval --arith exact`. Experts are merged while loading: there logits alone.
"""
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch

from cases import cases, compare_logits, compare_plain
from common import guard, say

LEVELS = ["block", "tensor"]


def one(case, level):
    from transformers import AutoModelForCausalLM
    name = f"fp8-{case.name}-{level}"
    folder = case.artifact(f"fp8-{level}", [f"fp8:{level}"], False)
    m, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, device_map="cpu", output_loading_info=True)
    ignored = [k for k in info["unexpected_keys"] if k.endswith(".weight_scale")]
    if level == "tensor" and ignored:  # vLLM's spelling of one scale a tensor; transformers' is weight_scale_inv
        say("skip", f"{name}-load", f"transformers 5.23.0 passes over {len(ignored)} tensors 'weight_scale' and leaves the weights unscaled")
        return
    if info["missing_keys"] or info["unexpected_keys"] or info["mismatched_keys"]:
        raise RuntimeError(f"keys that do not fit: {info}"[:300])
    m = torch.nn.Module.float(m.eval())
    if not case.small:
        weights = {k: v for k, v in m.state_dict().items() if k != "lm_head.weight" or not m.config.tie_word_embeddings}
        compare_plain(name, folder, weights, 7 * m.config.num_hidden_layers)
    compare_logits(name, m, case, folder, "dequantized by FineGrainedFP8")


def main():
    torch.set_num_threads(2)
    for case in cases():
        for level in LEVELS:
            name = f"fp8-{case.name}-{level}"
            if re.search(os.environ.get("QZ_INTEROP_CASE", ""), name):
                guard(name, one, case, level)


main()
