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
    ("llama-embed", "llama", dict(r=2, lora_alpha=4, target_modules=["k_proj", "embed_tokens"])),
    ("qwen3-head", "qwen3", dict(r=1, lora_alpha=1, target_modules=["lm_head"])),
    ("qwen3_moe-experts", "qwen3_moe-sparse", dict(r=2, lora_alpha=4, target_modules=["q_proj", "o_proj"])),
]
GGUF = {"llama-plain": "f32", "llama-rslora": "f16", "llama-embed": "f32", "qwen3_moe-experts": "f32"}


def base_of(family):
    return AutoModelForCausalLM.from_pretrained(os.path.join(ZOO, family), dtype=torch.float32, attn_implementation="eager").eval()


def logprobs(m, ids):
    with torch.no_grad():
        x = torch.log_softmax(m(torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
    return [round(float(x[t, ids[t + 1]]), 6) for t in range(len(ids) - 1)], x.argmax(-1).tolist()


def write_rows(m, out):
    rng, rows = np.random.default_rng(3), []
    for n in (64, 33):
        ids = rng.integers(3, 256, n).tolist()
        lp, best = logprobs(m, ids)
        rows.append({"input_ids": ids, "logprob_next": lp, "argmax": best})
    json.dump({"sequences": rows, "source": "tests/interop/make_lora.py: peft, transformers, float32 on CPU"}, open(os.path.join(out, "golden.json"), "w"))


def expert_factors(m, out, rank):
    """Adds a LoRA of every expert to the adapter in `out` (transformers keeps them in one tensor, which PEFT does not take apart); {name: B·A·s}."""
    path = os.path.join(out, "adapter_model.safetensors")
    w, c, deltas = load_file(path), m.config, {}
    for layer in range(c.num_hidden_layers):
        for e in range(c.num_experts):
            for n, rows, cols in (("gate_proj", c.moe_intermediate_size, c.hidden_size), ("up_proj", c.moe_intermediate_size, c.hidden_size), ("down_proj", c.hidden_size, c.moe_intermediate_size)):
                module = f"model.layers.{layer}.mlp.experts.{e}.{n}"
                a, b = torch.randn(rank, cols) * 0.3, torch.randn(rows, rank) * 0.05
                w[f"base_model.model.{module}.lora_A.weight"], w[f"base_model.model.{module}.lora_B.weight"] = a, b
                deltas[module] = b @ a * 2
    save_file(w, path, metadata={"format": "pt"})
    return deltas


def merge_experts(m, deltas):
    """Into the fused tensors; the single matrices as checkpoints name them."""
    single = {}
    for layer, block in enumerate(m.model.layers):
        x = block.mlp.experts
        half = x.gate_up_proj.shape[1] // 2
        for e in range(x.gate_up_proj.shape[0]):
            for n, part in (("gate_proj", x.gate_up_proj.data[e][:half]), ("up_proj", x.gate_up_proj.data[e][half:]), ("down_proj", x.down_proj.data[e])):
                module = f"model.layers.{layer}.mlp.experts.{e}.{n}"
                part += deltas[module]
                single[module + ".weight"] = part.clone()
    return single


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
    if "experts" in name:
        deltas = expert_factors(base_of(family), out, settings["r"])
        config["target_modules"] = sorted(ATTENTION[::3] + MLP)
        json.dump(config, open(path, "w"), indent=1, sort_keys=True)
        plain = os.path.join(out, "attention")
        shutil.copytree(out, plain)
        kept = {k: v for k, v in load_file(os.path.join(out, "adapter_model.safetensors")).items() if "experts" not in k}
        save_file(kept, os.path.join(plain, "adapter_model.safetensors"))
        json.dump(dict(config, target_modules=["o_proj", "q_proj"]), open(os.path.join(plain, "adapter_config.json"), "w"))
        m = PeftModel.from_pretrained(base_of(family), plain).merge_and_unload().eval()
        shutil.rmtree(plain)
        before = base_of(family).state_dict()
        merged = {k: v for k, v in m.state_dict().items() if "experts" not in k and not torch.equal(v, before[k])}
        merged.update(merge_experts(m, deltas))
        save_file({k: torch.stack([v[0], v[-1]]).contiguous() for k, v in merged.items()}, os.path.join(out, "merged.safetensors"))
        write_rows(m, out)
        return
    p = PeftModel.from_pretrained(base_of(family), out).eval()
    write_rows(p, out)
    if family == "qwen3":  # its output matrix is tied, and PEFT would change the embedding with it
        return
    before = {k: v.clone() for k, v in base_of(family).state_dict().items()}
    merged = p.merge_and_unload().state_dict()
    ends = {k: torch.stack([v[0], v[-1]]).contiguous() for k, v in merged.items() if not torch.equal(v, before[k])}
    save_file(ends, os.path.join(out, "merged.safetensors"))
    os.chmod(os.path.join(out, "merged.safetensors"), 0o644)


def convert(script, name, family, kind):
    subprocess.run([sys.executable, script, os.path.join(OUT, name), "--base", os.path.join(ZOO, family), "--outtype", kind, "--outfile",
                    os.path.join(OUT, name, f"adapter.{kind}.gguf")], check=True)


if __name__ == "__main__":
    for name, family, settings in SETS:
        make(name, family, settings)
        if len(sys.argv) > 1 and name in GGUF:
            convert(sys.argv[1], name, family, GGUF[name])
