"""AWQ folders decoded by AutoAWQ's own unpacking code: every linear equals the values quantz's reader gives.

usage: awq_autoawq.py QUANTZ WORK PACKING_UTILS: the last is awq/utils/packing_utils.py of AutoAWQ 0.2.9, loaded by its
path (the package itself wants a GPU build). quantz's values are read out of its own GGUF F32 conversion of the folder.
"""
import importlib.util
import json
import os
import sys

import torch
from safetensors.torch import load_file

from common import ZOO_MODELS, check, decoded, guard, trained, zoo_awq, zoo_dir

def packing():
    spec = importlib.util.spec_from_file_location("awq_packing_utils", sys.argv[3])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one(name, folder):
    config = json.load(open(os.path.join(folder, "config.json")))
    q = config["quantization_config"]
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    ours = decoded(f"{name}.AWQ", folder)
    p = packing()
    linears = weights = different = 0
    for key in sorted(k for k in tensors if k.endswith(".qweight")):
        base = key[:-len(".qweight")]
        # float32 scales: AutoAWQ would round the product to half, the codes and scales are what the file states
        theirs = p.dequantize_gemm(tensors[key], tensors[base + ".qzeros"], tensors[base + ".scales"].to(torch.float32), q["bits"], q["group_size"])
        mine = ours[base]
        theirs = theirs.T.contiguous().numpy()
        linears += 1
        weights += theirs.size
        different += int((theirs != mine).sum()) if theirs.shape == mine.shape else theirs.size
    check(f"awq-unpack-{name}", linears == 7 * config["num_hidden_layers"] and different == 0,
          f"AutoAWQ's dequantize_gemm: {linears} linears, {weights} weights, group {q['group_size']}, {different} differ from quantz's values")


def main():
    for x in trained():
        guard(f"awq-unpack-{x.name}", lambda: one(x.name, x.awq()))
    for name, variant in ZOO_MODELS:
        guard(f"awq-unpack-{name}", lambda: one(name, zoo_awq(name, zoo_dir(name, variant)[0])))


main()
