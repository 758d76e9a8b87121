"""usage: make_lora.py [CONVERT_LORA_TO_GGUF]  Adapters of the zoo's llama and what PEFT makes of them.

Writes tests/golden/lora/<name>/: adapter_config.json and adapter_model.safetensors (PEFT's save_pretrained, random weights),
golden.json (log-probabilities of base and adapter in float32, unmerged) and merged.safetensors: the first and the last row of
every tensor that merge_and_unload changes, in float32. Seeded: a second run gives the same bytes. With the path of llama.cpp's
converter: adapter.f32.gguf or adapter.f16.gguf as it writes them. Needs torch, transformers, peft; run once, the results are committed.
"""
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
ZOO, OUT = os.path.join(HERE, "../golden/zoo"), os.path.join(HERE, "../golden/lora")
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]
# name, family, configuration of the adapter
SETS = [
    ("llama-plain", "llama", dict(r=4, lora_alpha=12, target_modules=ATTENTION + MLP, rank_pattern={"layers.1.self_attn.q_proj": 2, "o_proj": 8},
                                  alpha_pattern={r".*\.mlp\.down_proj": 3})),
    ("llama-rslora", "llama", dict(r=8, lora_alpha=4, use_rslora=True, target_modules=["v_proj", "down_proj", "lm_head"])),
    ("llama-whole", "llama", dict(r=2, lora_alpha=2, target_modules=["q_proj", "embed_tokens"], modules_to_save=["lm_head"])),
    ("qwen3-head", "qwen3", dict(r=1, lora_alpha=1, target_modules=["lm_head"])),
    ("qwen3_moe-experts", "qwen3_moe", dict(r=2, lora_alpha=4, target_modules=["q_proj", "o_proj"])),
]
GGUF = {"llama-plain": "f32", "llama-rslora": "f16", "qwen3_moe-experts": "f32"}


def base_of(family):
    return AutoModelForCausalLM.from_pretrained(os.path.join(ZOO, family), dtype=torch.float32, attn_implementation="eager").eval()


def logprobs(m, ids):
    with torch.no_grad():
        x = torch.log_softmax(m(torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
    return [round(float(x[t, ids[t + 1]]), 6) for t in range(len(ids) - 1)], x.argmax(-1).tolist()


def make(name, family, settings):
    out = os.path.join(OUT, name)
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(7)
    p = get_peft_model(base_of(family), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for n, w in sorted(p.named_parameters()):
            if "lora_A" in n or "lora_embedding_A" in n:
                w.normal_(0, 0.3)
            elif "lora_B" in n or "lora_embedding_B" in n:
                w.normal_(0, 0.05)
            elif "modules_to_save" in n:
                w.add_(torch.randn_like(w) * 0.01)
    p.peft_config["default"].base_model_name_or_path = family
    p.save_pretrained(out, save_embedding_layers=False)
    os.remove(os.path.join(out, "README.md"))
    os.chmod(os.path.join(out, "adapter_model.safetensors"), 0o644)
    # stable text: sets are lists in any order
    path = os.path.join(out, "adapter_config.json")
    config = json.load(open(path))
    config["target_modules"] = sorted(config["target_modules"])
    json.dump(config, open(path, "w"), indent=1, sort_keys=True)
    p = PeftModel.from_pretrained(base_of(family), out).eval()
    rng = np.random.default_rng(3)
    rows = []
    for n in (64, 33):
        ids = rng.integers(3, 256, n).tolist()
        lp, best = logprobs(p, ids)
        rows.append({"input_ids": ids, "logprob_next": lp, "argmax": best})
    if family == "qwen3":  # its output matrix is tied, and PEFT would change the embedding with it
        json.dump({"sequences": rows, "source": "tests/interop/make_lora.py: peft, transformers, float32 on CPU"}, open(os.path.join(out, "golden.json"), "w"))
        return
    before = {k: v.clone() for k, v in base_of(family).state_dict().items()}
    merged = p.merge_and_unload().state_dict()
    ends = {k: torch.stack([v[0], v[-1]]).contiguous() for k, v in merged.items() if not torch.equal(v, before[k])}
    save_file(ends, os.path.join(out, "merged.safetensors"))
    os.chmod(os.path.join(out, "merged.safetensors"), 0o644)
    json.dump({"sequences": rows, "source": "tests/interop/make_lora.py: peft, transformers, float32 on CPU"}, open(os.path.join(out, "golden.json"), "w"))


def convert(script, name, family, kind):
    subprocess.run([sys.executable, script, os.path.join(OUT, name), "--base", os.path.join(ZOO, family), "--outtype", kind, "--outfile",
                    os.path.join(OUT, name, f"adapter.{kind}.gguf")], check=True)


if __name__ == "__main__":
    for name, family, settings in SETS:
        make(name, family, settings)
        if len(sys.argv) > 1 and name in GGUF:
            convert(sys.argv[1], name, family, GGUF[name])
