"""Folders of compressed-tensors, integers and floats, of both trained models and of qwen3_moe of the zoo.

Values: the library's own decompression, written as a float32 checkpoint, against the folder in `quantz diff`.
Loading: transformers with compressed-tensors on the CPU, decompressed and run in float32, against `quantz eval --arith exact`.
Cache scales: maxima of transformers' cache over the calibration's own tokens.
"""
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch

from cases import cases, compare_logits, compare_plain, plain_model
from common import check, guard, say
from ct_common import decompressed, tensors

MIXED = ["ct:nvfp4", "--module", "self_attn=fp8", "--module", "layers.1.mlp=w4a16{}+g32"]
# (label, options, needs calibration); {g}: groups of 32 where a model is narrower than 128
LEVELS = [("fp8", ["ct:fp8"], True), ("fp8_dynamic", ["ct:fp8_dynamic"], False), ("fp8_block", ["ct:fp8_block"], False),
          ("nvfp4", ["ct:nvfp4"], True), ("nvfp4a16", ["ct:nvfp4a16"], False), ("mxfp4", ["ct:mxfp4"], False),
          ("mxfp4a16", ["ct:mxfp4a16"], False), ("mxfp6a16", ["ct:mxfp6a16"], False), ("mxfp8", ["ct:mxfp8"], False),
          ("int8", ["ct:int8"], False), ("int8-static", ["ct:int8+static"], True), ("w4a16", ["ct:w4a16{g}"], False),
          ("w4a16_asym", ["ct:w4a16_asym{g}"], False), ("w4a8", ["ct:w4a8{g}"], False), ("w4afp8", ["ct:w4afp8"], False),
          ("mixed", [x.format("") if "{}" in x else x for x in MIXED], True), ("mixed-asym", [x.format("_asym") if "{}" in x else x for x in MIXED], True), ("fp8_dynamic-kv", ["ct:fp8_dynamic+kv"], True), ("w4a16-kv_heads", ["ct:w4a16{g}+kv_heads"], True)]
SCALE_TOLERANCE = 1e-3


def values(case, label, folder):
    theirs, linears = decompressed(folder)
    return compare_plain(f"ct-{case.name}-{label}", folder, theirs, linears)


PACKED_ZEROS = "packed zero points do not fit the shape that compressed-tensors makes before loading"
NO_GLOBAL = "experts are decompressed without their global scale"
UNPACKED = "experts that are not packed are passed over"
EXPERTS = {"nvfp4": NO_GLOBAL, "nvfp4a16": NO_GLOBAL, "mixed": NO_GLOBAL, "mxfp8": "scales of experts' groups are taken for scales of rows",
           "int8": UNPACKED, "int8-static": UNPACKED, "w4a16_asym": "zero points of experts are not handed to the decompression"}


def fault(case, label):
    """What transformers 5.23.0 gets wrong with such a file, whoever wrote it (docs/interop.md); None: it must load and be right."""
    if label == "mixed-asym":
        return PACKED_ZEROS
    return EXPERTS.get(label) if case.small else None


def dense(folder):
    """The folder in transformers, dequantized while loading: its other way, which packed zero points need. One group of settings."""
    from transformers import AutoModelForCausalLM, CompressedTensorsConfig
    m = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", quantization_config=CompressedTensorsConfig(dequantize=True))
    return torch.nn.Module.float(m.eval())


def float32(folder):
    """The folder in transformers: loaded as it is, decompressed by compressed-tensors, weights alone quantized, run in float32."""
    from transformers import AutoModelForCausalLM
    m, info = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", output_loading_info=True)
    # experts are decompressed while they load; scales of their inputs are not taken
    unexpected = [k for k in info["unexpected_keys"] if not re.search(r"\.experts\.\d+\.\w+\.input_(global_)?scale$", k)]
    left = sorted(info["missing_keys"]) + sorted(unexpected) + [str(x) for x in info["mismatched_keys"]]
    if left:
        raise RuntimeError(f"keys that do not fit: {left[:4]} and {len(left)} in all")
    m.hf_quantizer.compressor.decompress_model(m)
    n = 0
    for module in m.modules():
        if hasattr(module, "quantization_scheme"):
            module.quantization_enabled = False  # neither inputs nor the cache
            n += 1
    return torch.nn.Module.float(m.eval()), n  # its own float() refuses quantized models; these are no more


def load(case, label, folder, plain):
    """A level that the library loads wrongly is a skip with its reason, and its decompression is run as a float checkpoint."""
    name, why = f"ct-{case.name}-{label}", fault(case, label)
    if label == "w4a16_asym" and not case.small:
        say("skip", f"{name}-load", f"transformers 5.23.0 gets such a file wrong unless it dequantizes while loading: {PACKED_ZEROS}")
        compare_logits(name, dense(folder), case, folder, "dequantized while loading")
        return
    if why is None:
        theirs, n = float32(folder)
        compare_logits(name, theirs, case, folder, f"{n} modules with a scheme")
        return
    try:
        float32(folder)
        how = "loads"
    except Exception as e:  # noqa: BLE001 - the reason is the result
        how = type(e).__name__
    say("skip", f"{name}-load", f"transformers 5.23.0 gets such a file wrong: {why} ({how})")
    compare_logits(name, plain_model(plain), case, folder, "the library's decompression as a float checkpoint")


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
    folder = case.artifact(f"ct-{label}", options, calibrated)
    plain = guard(f"ct-{case.name}-{label}-values", values, case, label, folder)
    guard(f"ct-{case.name}-{label}-logits", load, case, label, folder, plain)
    if "kv" in label:
        guard(f"ct-{case.name}-{label}-cache", cache_scales, case, label, folder, "heads" in label)


def main():
    from transformers.utils import logging
    logging.disable_progress_bar()
    torch.set_num_threads(2)
    only = os.environ.get("QZ_INTEROP_CASE", "")
    for case in cases():
        for level in LEVELS:
            name = f"ct-{case.name}-{level[0]}"
            if case.small and level[0] == "w4afp8":
                say("skip", name, "needs whole groups of 128, which this model is too narrow for")
            elif re.search(only, name):
                guard(name, one, case, *level)


main()
