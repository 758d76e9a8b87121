"""AWQ folders decoded by AutoAWQ's own unpacking code: every linear equals the values quantz's reader gives.

usage: awq_autoawq.py QUANTZ WORK PACKING_UTILS: the last is awq/utils/packing_utils.py of AutoAWQ 0.2.9, loaded by its
path (the package itself wants a GPU build). quantz's values are read out of its own GGUF F32 conversion of the folder.
"""
import importlib.util
import json
import os
import sys

import numpy as np
import torch
from gguf import GGUFReader
from safetensors.torch import load_file

from common import ZOO_MODELS, check, guard, made, market_awq, zoo_awq, zoo_dir

GGUF_NAME = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def packing():
    spec = importlib.util.spec_from_file_location("awq_packing_utils", sys.argv[3])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def interleaved(w, heads):
    """GGUF's llama files hold q and k rows as rotation pairs: back to the checkpoint's halves."""
    rows, cols = w.shape
    return w.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def one(name, folder):
    config = json.load(open(os.path.join(folder, "config.json")))
    q = config["quantization_config"]
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    ours = {t.name: t for t in GGUFReader(made(f"{name}.AWQ.F32.gguf", folder, "--to", "gguf:F32")).tensors}
    p = packing()
    heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
    linears = weights = different = 0
    for key in sorted(k for k in tensors if k.endswith(".qweight")):
        base = key[:-len(".qweight")]
        # float32 scales: AutoAWQ would round the product to half, the codes and scales are what the file states
        theirs = p.dequantize_gemm(tensors[key], tensors[base + ".qzeros"], tensors[base + ".scales"].to(torch.float32), q["bits"], q["group_size"])
        layer, part = base.split("model.layers.")[1].split(".", 1)
        mine = np.array(ours[f"blk.{layer}.{GGUF_NAME[part]}.weight"].data)
        if config["model_type"] in ("llama", "mistral") and part in heads:
            mine = interleaved(mine, heads[part])
        theirs = theirs.T.contiguous().numpy()
        linears += 1
        weights += theirs.size
        different += int((theirs != mine).sum()) if theirs.shape == mine.shape else theirs.size
    check(f"awq-unpack-{name}", linears == 7 * config["num_hidden_layers"] and different == 0,
          f"AutoAWQ's dequantize_gemm: {linears} linears, {weights} weights, group {q['group_size']}, {different} differ from quantz's values")


def main():
    guard("awq-unpack-market", lambda: one("market", market_awq()))
    for name, variant in ZOO_MODELS:
        guard(f"awq-unpack-{name}", lambda: one(name, zoo_awq(name, zoo_dir(name, variant)[0])))


main()
