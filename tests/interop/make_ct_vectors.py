"""usage: make_ct_vectors.py OUT   golden vectors of compressed-tensors for settings that tests/golden/ct lacked (needs compressed-tensors==0.20.0,
torch==2.15.0, safetensors; CPU).

Each file: in.weight, what the library's compressor stores of one linear, ref.dequant (its decompression), and quantization_config in the metadata.
"""
import json
import sys

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationConfig, preset_name_to_scheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

CASES = {  # name: preset, format, rows
    "w5a16_g128_sym_bf16": ("W5A16", "pack-quantized", 9),
    "w6a16_g128_sym_bf16": ("W6A16", "pack-quantized", 9),
    "w7a16_g128_sym_bf16": ("W7A16", "pack-quantized", 9),
    "w4a8_g128_sym_bf16": ("W4A8", "int-quantized", 9),
    "w4afp8_g128_sym_bf16": ("W4AFP8", "pack-quantized", 11),
}


def rows(n, cols):
    """Zeros; outliers; a ramp; all >= 0; all < 0; exact ties; times 1e-6; times 1e4; Gaussian."""
    g = torch.Generator().manual_seed(19)
    w = torch.randn(n, cols, generator=g) * 0.05
    w[0] = 0
    w[1, ::7] *= 20
    w[2] = torch.linspace(-1, 1, cols)
    w[3] = w[3].abs()
    w[4] = -w[4].abs() - 1e-3
    w[5] = (torch.arange(cols) % 16 - 8) / 8
    w[6] *= 1e-6
    w[7] *= 1e4
    return w.to(torch.bfloat16)


for name, (preset, form, n) in CASES.items():
    scheme = preset_name_to_scheme(preset, ["Linear"])
    scheme.format = form
    args, w = scheme.weights, rows(n, 256)
    group = args.group_size or w.shape[1]
    parts = w.reshape(n, -1, group)
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), args)
    compressor = BaseCompressor.get_value_from_registry(form)
    state = compressor.compress({"weight": w, "weight_scale": scale, "weight_zero_point": zero}, scheme)
    back = compressor.decompress(dict(state), scheme)["weight"]
    config = QuantizationConfig(config_groups={"group_0": scheme}, format=form, quantization_status="compressed", ignore=["lm_head"])
    out = {"in.weight": w, "ref.dequant": back.data}
    out.update({"model.layers.0.mlp.down_proj." + k: v.contiguous() for k, v in state.items()})
    save_file(out, f"{sys.argv[1]}/{name}.safetensors", {"format": "pt", "quantization_config": json.dumps(config.model_dump(mode="json"))})
    print(name, {k: (str(v.dtype), list(v.shape)) for k, v in out.items()})
