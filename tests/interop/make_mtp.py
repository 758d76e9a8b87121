"""usage: make_mtp.py LLAMA_CPP OUT  A checkpoint with a prediction head (MTP), and what llama.cpp's converter makes of it.

Writes OUT/glm4_moe: the zoo's model with a third layer that predicts the token after the next (weights of its second layer, seeded
others), and OUT/glm4_moe.gguf: the converter's BF16 file of it. The converter wants its vocabulary code left out (the zoo has no
tokenizer): Glm4MoeModel.set_vocab does nothing. Seeded: a second run gives the same bytes. Needs torch; run once, the file is committed.
"""
import json
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

ZOO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/zoo/glm4_moe")


def main(llama, out):
    folder = os.path.join(out, "glm4_moe")
    os.makedirs(folder, exist_ok=True)
    w = load_file(os.path.join(ZOO, "model.safetensors"))
    config = json.load(open(os.path.join(ZOO, "config.json")))
    last, n, d = config["num_hidden_layers"], "model.layers.", config["hidden_size"]
    torch.manual_seed(17)
    for k in [k for k in w if k.startswith(f"{n}{last - 1}.")]:
        w[k.replace(f"{n}{last - 1}.", f"{n}{last}.")] = w[k].clone()
    for k, shape in (("eh_proj.weight", (d, 2 * d)), ("enorm.weight", (d,)), ("hnorm.weight", (d,)), ("shared_head.norm.weight", (d,)),
                     ("embed_tokens.weight", tuple(w["model.embed_tokens.weight"].shape)), ("shared_head.head.weight", tuple(w["lm_head.weight"].shape))):
        w[f"{n}{last}.{k}"] = (torch.randn(shape) * 0.1).to(torch.bfloat16)
    config["num_nextn_predict_layers"] = 1
    save_file(w, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    json.dump(config, open(os.path.join(folder, "config.json"), "w"), indent=1, sort_keys=True)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    run = ("import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/gguf-py']; import runpy, conversion.glm as g; g.Glm4MoeModel.set_vocab = lambda self: None;"
           "script = sys.argv.pop(1) + '/convert_hf_to_gguf.py'; sys.argv[0] = script; runpy.run_path(script, run_name='__main__')")
    subprocess.run([sys.executable, "-c", run, llama, folder, "--outtype", "bf16", "--outfile", os.path.join(out, "glm4_moe.gguf")], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
