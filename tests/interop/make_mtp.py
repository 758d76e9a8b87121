"""usage: make_mtp.py LLAMA_CPP OUT  Checkpoints with a layer that predicts the token after the next (MTP), and what llama.cpp's
converter makes of them.

Writes of each family OUT/FAMILY: the zoo's model as the first shard (a link), the layer as the second (weights of the model's last
layer, seeded others), config.json, and gguf.tsv: name, type, dimensions and hash of every tensor of the converter's BF16 file, and its
keys of the architecture. Of glm4_moe that file itself too, OUT/glm4_moe.gguf. The converter wants its vocabulary code left out (the zoo
has no tokenizer). Seeded: a second run gives the same bytes. Needs torch; run once, the files are committed.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

ZOO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/zoo")
LAYER = {"eh": "eh_proj.weight", "e": "enorm.weight", "h": "hnorm.weight", "norm": "shared_head.norm.weight",
         "embed": "embed_tokens.weight", "head": "shared_head.head.weight"}
MODULE = {"eh": "fc.weight", "e": "pre_fc_norm_embedding.weight", "h": "pre_fc_norm_hidden.weight", "norm": "norm.weight"}
FAMILIES = {"glm4_moe": ("num_nextn_predict_layers", LAYER), "qwen3_next": (None, MODULE), "qwen3_5": ("mtp_num_hidden_layers", MODULE),
            "qwen3_5_moe": ("mtp_num_hidden_layers", MODULE), "deepseek_v3": ("num_nextn_predict_layers", LAYER)}
PATCH = ("import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/gguf-py']; import runpy, conversion.base as b, conversion.glm as g, "
         "conversion.qwen as q, conversion.deepseek as d;"
         "[setattr(c, 'set_vocab', lambda self: None) for m in (b, g, q, d) for c in vars(m).values() if isinstance(c, type) and hasattr(c, 'set_vocab')];"
         "script = sys.argv.pop(1) + '/convert_hf_to_gguf.py'; sys.argv[0] = script; runpy.run_path(script, run_name='__main__')")


def heads(family, w, config):
    key, names = FAMILIES[family]
    last, d = config["num_hidden_layers"], config["hidden_size"]
    to = f"model.layers.{last}." if names is LAYER else "mtp.layers.0."
    beside = to if names is LAYER else "mtp."
    torch.manual_seed(17)
    out = {k.replace(f"model.layers.{last - 1}.", to): v.clone() for k, v in sorted(w.items()) if k.startswith(f"model.layers.{last - 1}.")}
    table = tuple(w["model.embed_tokens.weight"].shape)
    for k, shape in (("eh", (d, 2 * d)), ("e", (d,)), ("h", (d,)), ("norm", (d,)), ("embed", table), ("head", table)):
        if k in names:
            out[beside + names[k]] = (torch.randn(shape) * 0.1).to(torch.bfloat16)
    if key:
        config[key] = 1
    if family == "deepseek_v3":
        config["scoring_func"] = "sigmoid"  # as releases say; transformers 5 drops it when it saves
    return out


def write_checkpoint(family, folder):
    os.makedirs(folder, exist_ok=True)
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    w = load_file(os.path.join(ZOO, family, "model.safetensors"))
    config = json.load(open(os.path.join(ZOO, family, "config.json")))
    more = heads(family, w, config)
    if not os.path.lexists(os.path.join(folder, shards[0])):
        shutil.copyfile(os.path.join(folder, f"../../zoo/{family}/model.safetensors"), os.path.join(folder, shards[0]))
    save_file(more, os.path.join(folder, shards[1]), metadata={"format": "pt"})
    os.chmod(os.path.join(folder, shards[1]), 0o644)
    index = {"metadata": {}, "weight_map": {**{k: shards[0] for k in sorted(w)}, **{k: shards[1] for k in sorted(more)}}}
    json.dump(index, open(os.path.join(folder, "model.safetensors.index.json"), "w"), indent=1)
    json.dump(config, open(os.path.join(folder, "config.json"), "w"), indent=1, sort_keys=True)


def record(llama, file, folder):
    sys.path.insert(0, os.path.join(llama, "gguf-py"))
    import gguf
    r = gguf.GGUFReader(file)
    with open(os.path.join(folder, "gguf.tsv"), "w") as f:
        print("#kind\tname\ttype\tdims or value\tllama-quantize Q8_0\tQ4_K_M\tsha256[:12] of the data", file=f)
        for k in r.fields.values():
            v = k.contents()
            if k.name.startswith(("GGUF", "general", "tokenizer")):
                continue
            text = json.dumps(v) if isinstance(v, list) else "%.9g" % v if isinstance(v, float) else str(v)
            print("key", k.name, k.types[-1].name.lower(), text, sep="\t", file=f)
        for t in r.tensors:
            print("tensor", t.name, t.tensor_type.name, " ".join(str(int(n)) for n in t.shape), "", "",
                  hashlib.sha256(t.data.tobytes()).hexdigest()[:12], sep="\t", file=f)


def main(llama, out):
    for family in FAMILIES:
        folder = os.path.join(out, family)
        write_checkpoint(family, folder)
        file = os.path.join(out, family + ".gguf")
        subprocess.run([sys.executable, "-c", PATCH, llama, folder, "--outtype", "bf16", "--outfile", file], check=True)
        record(llama, file, folder)
        if family != "glm4_moe":
            os.remove(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
