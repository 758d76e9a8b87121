"""usage: make_modelopt_exports.py MODEL OUT.tsv   Model-Optimizer's own exports of a checkpoint, as hashes (needs nvidia-modelopt==0.47.0,
torch==2.15.0, transformers==5.23.0, accelerate, requests; CPU).

Lines: quant_algo, tensor, dtype, dims, SHA-256 of its bytes; and quant_algo, file name, the object of config.json or hf_quant_config.json.
FP8 and NVFP4 are calibrated on random ids from seed 0; what the test compares does not depend on them (input_scale is left out). "+kv": with an
FP8 cache; of its scales the hash is "-".
"""
import copy
import hashlib
import json
import struct
import sys
import tempfile

import modelopt.torch.quantization as mtq
import torch
from modelopt.torch.export import export_hf_checkpoint
from transformers import AutoModelForCausalLM

CONFIGS = ["W4A16_NVFP4_CFG", "FP8_PER_CHANNEL_PER_TOKEN_CFG", "MXFP4_DEFAULT_CFG", "MXFP8_DEFAULT_CFG", "FP8_DEFAULT_CFG", "NVFP4_DEFAULT_CFG", "FP8_DEFAULT_CFG+kv"]


def tensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    for name, t in json.loads(data[8:8 + n]).items():
        if name != "__metadata__" and not name.endswith("input_scale"):
            yield name, t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]


def main():
    lines = []
    ids = torch.randint(0, 200, (4, 32), generator=torch.Generator().manual_seed(0))
    for config in CONFIGS:
        model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
        settings = copy.deepcopy(getattr(mtq, config.removesuffix("+kv")))
        if config.endswith("+kv"):
            cache = mtq.FP8_KV_CFG["quant_cfg"]
            settings["quant_cfg"] = {**settings["quant_cfg"], **cache} if isinstance(cache, dict) else [*settings["quant_cfg"], *cache]
        mtq.quantize(model, settings, lambda m: m(ids))
        with tempfile.TemporaryDirectory() as out:
            export_hf_checkpoint(model, export_dir=out)
            q = json.load(open(f"{out}/config.json"))["quantization_config"]
            algo = q["quant_algo"] + ("+kv" if config.endswith("+kv") else "")
            lines.append(f"{algo}\tconfig.json\t{json.dumps(q, separators=(',', ':'))}")
            q = json.load(open(f"{out}/hf_quant_config.json"))
            lines.append(f"{algo}\thf_quant_config.json\t{json.dumps(q, separators=(',', ':'))}")
            for name, dtype, shape, data in tensors(f"{out}/model.safetensors"):
                sha = "-" if name.endswith(("k_scale", "v_scale")) else hashlib.sha256(data).hexdigest()
                lines.append(f"{algo}\t{name}\t{dtype} {shape}\t{sha}")
    open(sys.argv[2], "w").write("\n".join(lines) + "\n")


main()
