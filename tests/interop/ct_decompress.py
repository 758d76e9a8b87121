"""Integer folders of compressed-tensors: the library reads the settings, its decompression equals quantz's values, and its own
quantization of the source's weights gives the bytes of `--search compat`.

Module by module through the library's compressors: no model of transformers is needed.
"""
import os
import re

import torch
from compressed_tensors.quantization.utils import calculate_qparams

from common import EXTRA, ZOO_MODELS, check, decoded, guard, made, zoo_dir
from ct_common import Settings, tensors

SMALL = ["ct:w4a16+g32", "ct:w4a16_asym+g32", "ct:w8a16+g-1", "ct:w2a16+g16", "ct:w3a16+g32+asym", "ct:w5a16+g32", "ct:w6a16+g32+asym",
         "ct:w7a16+g-1+asym", "ct:int8", "ct:w4a8+g32"]
LARGE = ["ct:w4a16", "ct:w4a16_asym", "ct:w8a16", "ct:w3a16", "ct:int8", "ct:w4a8", "ct:w4afp8"]


def own(weight, scheme, compressor):
    """The library's round to nearest of a weight, compressed."""
    a = scheme.weights
    x = weight.unflatten(-1, (-1, a.group_size)) if a.group_size and a.group_size > 0 else weight.unsqueeze(1)
    scale, zero = calculate_qparams(x.amin(-1), x.amax(-1), a)
    state = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero}
    return compressor.compress(state, scheme)


def compare(label, scheme_name, model):
    folder = made(re.sub(r"[:+]", "-", label), model, "--to", scheme_name)
    plain = made(re.sub(r"[:+]", "-", label) + "-compat", model, "--to", scheme_name, "--search", "compat")
    settings = Settings(folder)
    ours, compat, source = tensors(folder), tensors(plain), tensors(model)
    values = bytes_ = linears = 0
    for module, mine in decoded(os.path.basename(folder), folder).items():
        scheme, compressor = settings.of(module)
        state = {k[len(module) + 1:]: v for k, v in ours.items() if k.startswith(module + ".") and not k.endswith(".bias")}
        theirs = compressor.decompress(state, scheme)["weight"].float().numpy()
        values += int((theirs != mine).sum()) if theirs.shape == mine.shape else mine.size
        for name, t in own(source[module + ".weight"], scheme, compressor).items():
            have = compat.get(f"{module}.{name}")
            if have is None and name == "weight_zero_point":
                continue  # symmetric
            bytes_ += have is None or have.dtype != t.dtype or not torch.equal(have.flatten(), t.flatten())
        linears += 1
    check(f"{label}-values", values == 0, f"{linears} linears, {values} values differ from the library's decompression")
    check(f"{label}-bytes", bytes_ == 0, f"{linears} linears, {bytes_} tensors differ from the library's own compression")


def main():
    for name, variant in ZOO_MODELS[:3]:
        model, _ = zoo_dir(name, variant)
        for s in SMALL:
            guard(f"ct-{name}-{s[3:]}", compare, f"ct-{name}-{s[3:]}", s, model)
    if os.path.isdir(EXTRA):
        for s in LARGE:
            guard(f"ct-extra-{s[3:]}", compare, f"ct-extra-{s[3:]}", s, EXTRA)


main()
