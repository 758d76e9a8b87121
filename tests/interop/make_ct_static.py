"""usage: make_ct_static.py OUT.safetensors   golden vectors of static activations by compressed-tensors 0.20.0 (torch 2.15.0, safetensors; CPU).

The inputs of tests/golden/ct/dynamic_activations.safetensors under one scale for the tensor, as the library's min-max observer fixes it and its
emulation applies it: int8 symmetric, int8 asymmetric (input_zero_point), FP8; KIND.scale, KIND.zero_point, KIND.fake_quant.
"""
import sys

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import load_file, save_file

x = load_file("tests/golden/ct/dynamic_activations.safetensors")["in.x"]
moved = (x.float() + 0.75 * x.float().abs().mean()).to(torch.bfloat16)  # not around 0: where a zero point pays
out = {"in.x": x, "in.moved": moved}
for kind, data, args in (
    ("int8", x, QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="tensor", dynamic=False)),
    ("int8_asym", x, QuantizationArgs(num_bits=8, type="int", symmetric=False, strategy="tensor", dynamic=False)),
    ("int8_asym_moved", moved, QuantizationArgs(num_bits=8, type="int", symmetric=False, strategy="tensor", dynamic=False)),
    ("fp8", x, QuantizationArgs(num_bits=8, type="float", symmetric=True, strategy="tensor", dynamic=False)),
):
    scale, zero = calculate_qparams(data.amin().reshape(1), data.amax().reshape(1), args)
    out[kind + ".scale"], out[kind + ".zero_point"] = scale, zero.to(torch.int8) if args.type == "int" else zero.float()
    out[kind + ".fake_quant"] = fake_quantize(data, scale, zero, args)
    print(kind, scale, zero, out[kind + ".fake_quant"].dtype)
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[1], {"format": "pt", "made_by": "compressed-tensors 0.20.0, torch 2.15.0"})
