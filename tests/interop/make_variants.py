"""usage: make_variants.py  Variants of the zoo that GGUF can say, with golden numbers of transformers (float32, eager).

Writes tests/golden/zoo/<family>/variants/<name>.{config,golden}.json (the family's weights under another configuration) and two
models of their own, whose layers the zoo's do not have: gemma3-6 (six layers, the last full) and qwen3_moe-sparse (no dense layer).
Seeded: a second run gives the same bytes. Needs torch and transformers; run once, the results are committed.
"""
import json
import os
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

ZOO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/zoo")
LENGTHS = (96, 53)
KEEP = {"k_norm", "q_norm"}


def load(path):
    with open(path) as f:
        return json.load(f)


def write(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.write("\n")


def golden(folder, config, path, lengths=LENGTHS):
    """Log-probabilities, best ids and 16 greedy tokens in the form of the zoo's golden.json."""
    c = AutoConfig.for_model(**config)
    m = AutoModelForCausalLM.from_pretrained(folder, config=c, dtype=torch.float32, attn_implementation="eager").eval()
    rng, rows = np.random.default_rng(11), []
    with torch.no_grad():
        for n in lengths:
            ids = rng.integers(3, 256, n).tolist()
            x = torch.log_softmax(m(torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
            more, gap = list(ids), 99.0
            for _ in range(16):
                y = torch.log_softmax(m(torch.tensor([more]), use_cache=False).logits[0, -1].double(), -1)
                two = torch.topk(y, 2).values
                gap = min(gap, float(two[0] - two[1]))
                more.append(int(y.argmax()))
            rows.append({"input_ids": ids, "logprob_next": [round(float(x[t, ids[t + 1]]), 6) for t in range(n - 1)], "argmax": x.argmax(-1).tolist(),
                         "greedy16": more[n:], "min_greedy_margin": round(gap, 6)})
    write(path, {"sequences": rows, "source": "tests/interop/make_variants.py, transformers, float32 on CPU, eager attention"})


def variant(family, name, change, lengths=LENGTHS):
    folder = os.path.join(ZOO, family)
    config = load(os.path.join(folder, "config.json"))
    change(config)
    os.makedirs(os.path.join(folder, "variants"), exist_ok=True)
    write(os.path.join(folder, "variants", f"{name}.config.json"), config)
    golden(folder, config, os.path.join(folder, "variants", f"{name}.golden.json"), lengths)


def model(name, family, change, seed):
    """A model of its own: matrices of spread 1.2 / sqrt(in), gains like those of the zoo."""
    config = load(os.path.join(ZOO, family, "config.json"))
    change(config)
    folder = os.path.join(ZOO, name)
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "config.json"), config)
    m = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    rng, out = np.random.default_rng(seed), {}
    shapes = {}
    for k, v in m.state_dict().items():
        if k == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        if k.endswith("experts.gate_up_proj"):  # fused in memory, one by one in a file
            for e in range(v.shape[0]):
                for part in ("gate_proj", "up_proj"):
                    shapes[k.replace("gate_up_proj", f"{e}.{part}.weight")] = (v.shape[1] // 2, v.shape[2])
        elif k.endswith("experts.down_proj"):
            for e in range(v.shape[0]):
                shapes[k.replace("down_proj", f"{e}.down_proj.weight")] = tuple(v.shape[1:])
        else:
            shapes[k] = tuple(v.shape)
    gemma = family.startswith("gemma")
    for k in sorted(shapes):
        s = shapes[k]
        if len(s) == 1:
            qk = any(x in k for x in KEEP)
            mean = (0.0 if gemma else 1.0) + (0.6 if qk else 0.0)
            if gemma and k == "model.norm.weight":
                mean = 9.0
            x = mean + 0.25 * rng.standard_normal(s)
        elif k == "model.embed_tokens.weight":
            x = rng.standard_normal(s) * (0.04 if gemma else 1.0)
        else:
            x = rng.standard_normal(s) * (2.5 if k == "lm_head.weight" else 1.4 if k.endswith(("q_proj.weight", "k_proj.weight")) else 1.2) / np.sqrt(s[1])
        out[k] = torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).contiguous()
    save_file(out, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    golden(folder, config, os.path.join(folder, "golden.json"))


def window(c):
    c["sliding_window"] = None


def plain_rope(c):
    window(c)
    for k in ("rope_parameters", "original_max_position_embeddings", "partial_rotary_factor"):
        c.pop(k, None)
    c["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}


def main():
    torch.manual_seed(0)
    # the scale that llama.cpp's loader computes; the caps stay
    variant("gemma2", "query-head-dim", lambda c: c.update(query_pre_attn_scalar=c["head_dim"]))
    # phi3: the window is dropped by the loader. Longer than 64 tokens, all of them: llama.cpp chooses the factors by the context
    variant("phi3", "no-window", window, (96, 80))
    variant("phi3", "no-window-plain", plain_rope)

    # the window without layer_types: transformers lets the layers without rotary positions slide
    def by_rope(c):
        c.update(use_sliding_window=True, sliding_window=8)
        c.pop("layer_types")
    variant("smollm3", "window8-no-layer-types", by_rope)

    def gemma3(c):
        c.update(hidden_size=64, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=6, query_pre_attn_scalar=32,
                 layer_types=["sliding_attention"] * 5 + ["full_attention"], sliding_window_pattern=6, _sliding_window_pattern=6)
    model("gemma3-6", "gemma3", gemma3, 3)
    model("qwen3_moe-sparse", "qwen3_moe", lambda c: c.update(num_hidden_layers=2, mlp_only_layers=[]), 4)


sys.exit(main())
