"""ModelOpt folders: NVIDIA Model-Optimizer's own tensors (modelopt.torch.quantization.qtensor) decode them on the CPU; values equal
quantz's, and the decoded checkpoint in transformers gives the logits of `quantz eval --arith exact`.
"""
import json
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from modelopt.torch.quantization.qtensor import FP8QTensor, MXFP4QTensor, MXFP8QTensor, NVFP4QTensor

from cases import cases, compare_logits, compare_plain, plain_model
from common import guard
from ct_common import modules, tensors

# (level, needs calibration)
LEVELS = [("fp8", True), ("fp8_dynamic", False), ("nvfp4", True), ("nvfp4a16", False), ("mxfp4", False), ("mxfp8", False)]


def unpacked(algo, w, scale, double):
    """[rows, cols] of one linear, by the library's class for the file's quant_algo: NVFP4 in the checkpoint's bfloat16, as its linears
    do, the others in float32 (its FP8 would round the float32 scale first, which no engine does)."""
    shape, f32 = torch.Size((w.shape[0], w.shape[1] * (2 if w.dtype == torch.uint8 else 1))), torch.float32
    if "NVFP4" in algo:
        return NVFP4QTensor(shape, torch.bfloat16, w).dequantize(scale=scale, double_scale=double, block_sizes={-1: 16})
    if "MXFP4" in algo:
        return MXFP4QTensor(shape, f32, w).dequantize(f32, scale=scale, block_sizes={-1: 32})
    if "MXFP8" in algo:
        return MXFP8QTensor(shape, f32, w).dequantize(f32, scale=scale)
    if algo not in ("FP8", "FP8_PER_CHANNEL_PER_TOKEN"):
        raise RuntimeError(f"quant_algo {algo} is not one of this check's")
    return FP8QTensor(shape, f32, w).dequantize(f32, scale=scale if scale.numel() == 1 else scale.reshape(-1, 1))


def decoded_by_modelopt(folder):
    algo = json.load(open(os.path.join(folder, "hf_quant_config.json")))["quantization"]["quant_algo"].upper()
    have, out = tensors(folder), {}
    linears = modules(have)
    for m in linears:
        out[m + ".weight"] = unpacked(algo, have.pop(m + ".weight"), have.pop(m + ".weight_scale"), have.pop(m + ".weight_scale_2", None))
        have.pop(m + ".input_scale", None)
    return algo, {**have, **out}, len(linears)


def one(case, level, calibrated):
    name = f"modelopt-{case.name}-{level}"
    folder = case.artifact(f"modelopt-{level}", [f"modelopt:{level}"], calibrated)
    algo, theirs, linears = decoded_by_modelopt(folder)
    plain = compare_plain(name, folder, theirs, linears)
    compare_logits(name, plain_model(plain), case, folder, f"{algo}: ModelOpt's values as a float checkpoint")


def main():
    torch.set_num_threads(2)
    for case in cases():
        for level, calibrated in LEVELS:
            name = f"modelopt-{case.name}-{level}"
            if re.search(os.environ.get("QZ_INTEROP_CASE", ""), name):
                guard(name, one, case, level, calibrated)


main()
