"""usage: make_zoo.py OUT LLAMA_CPP [--types]  Tiny random models of families that came to the zoo later, with transformers' own numbers.

Writes OUT/FAMILY/{model.safetensors, config.json, golden.json, gguf.tsv}, in the form of the others (tests/golden/zoo): weights in
bfloat16, run in float32 on the CPU; gguf.tsv is what llama.cpp's converter made of it (make_mtp.py), and FAMILY.f32.gguf its F32 file,
of which --types, where llama-cpp-python is, takes the types that llama-quantize gives. Seeded: a second run gives the same bytes.
Needs torch and transformers; run once, the files are committed (without FAMILY.f32.gguf).
"""
import json
import os
import subprocess
import sys

COMMON = dict(vocab_size=256, hidden_size=64, max_position_embeddings=256, pad_token_id=0, bos_token_id=1, eos_token_id=2)
FAMILIES = {
    "qwen2_moe": dict(intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, moe_intermediate_size=32,
                      shared_expert_intermediate_size=64, num_experts=6, num_experts_per_tok=3, norm_topk_prob=False,
                      use_sliding_window=False, tie_word_embeddings=False, rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
    "deepseek_v2": dict(intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4, moe_intermediate_size=32, n_routed_experts=8,
                        n_shared_experts=2, num_experts_per_tok=3, first_k_dense_replace=1, topk_method="group_limited_greedy", n_group=4,
                        topk_group=2, routed_scaling_factor=1.5, norm_topk_prob=False, q_lora_rank=32, kv_lora_rank=32, qk_nope_head_dim=32,
                        qk_rope_head_dim=8, v_head_dim=24, tie_word_embeddings=False,
                        rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, "original_max_position_embeddings": 32,
                                         "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 0.707, "mscale_all_dim": 0.707}),
}


def build(family, seed):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    config = AutoConfig.for_model(family, **COMMON, **FAMILIES[family])
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            scale = 1.0 if "embed" in name else 0.5 if p.dim() == 1 else 1.6 / p.shape[-1] ** 0.5
            p.copy_((torch.randn(p.shape) * scale + ("norm" in name)).to(torch.bfloat16).float())
    return config, model


def greedy(model, ids):
    import torch
    ids, margin = list(ids), 99.0
    for _ in range(16):
        top = model(torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(-1).topk(2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
    return ids[-16:], margin


def sequence(model, ids):
    import torch
    lp = model(torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
    top = lp.topk(2)
    next_lp = [float(lp[i, ids[i + 1]]) for i in range(len(ids) - 1)]
    new, margin = greedy(model, ids)
    return margin, {"input_ids": ids, "logprob_next": [round(x, 6) for x in next_lp], "sum_logprob": round(sum(next_lp), 6),
                    "argmax": top.indices[:, 0].tolist(), "argmax_margin_min": round(float((top.values[:, 0] - top.values[:, 1]).min()), 6),
                    "top5_last": [[int(i), round(float(v), 6)] for v, i in zip(*lp[-1].topk(5))], "greedy16": new}


def convert(llama, folder, kind, file):
    from make_mtp import PATCH
    subprocess.run([sys.executable, "-c", PATCH, llama, folder, "--outtype", kind, "--outfile", file], check=True)


def types(llama, folder, source):
    """Columns 5 and 6 of gguf.tsv: llama-quantize's types of Q8_0 and Q4_K_M."""
    sys.path.insert(0, os.path.join(llama, "gguf-py"))
    import gguf
    import llama_cpp
    given = []
    for ftype in (7, 15):
        p = llama_cpp.llama_model_quantize_default_params()
        p.ftype = ftype
        if llama_cpp.llama_model_quantize(source.encode(), (source + ".q").encode(), p):
            raise RuntimeError(f"llama.cpp does not quantize '{source}'")
        given.append({t.name: t.tensor_type.name for t in gguf.GGUFReader(source + ".q").tensors})
        os.remove(source + ".q")
    path = os.path.join(folder, "gguf.tsv")
    rows = [line.rstrip("\n").split("\t") for line in open(path)]
    for row in rows:
        if row[0] == "tensor":
            row[4:6] = [g[row[1]] for g in given]
    open(path, "w").write("".join("\t".join(row) + "\n" for row in rows))


def main(out, llama, only=None):
    if only == "--types":
        for family in FAMILIES:
            types(llama, os.path.join(out, family), os.path.join(out, family + ".f32.gguf"))
        return
    import torch
    import transformers
    from make_mtp import record
    for family in FAMILIES:
        for seed in range(301, 400):  # one whose choices are clear
            config, model = build(family, seed)
            with torch.no_grad():
                seqs = [sequence(model, [1] + torch.randint(3, 256, (n,), generator=torch.Generator().manual_seed(seed + n)).tolist()) for n in (95, 40)]
            if min(m for m, _ in seqs) >= 0.02 and min(s["argmax_margin_min"] for _, s in seqs) >= 5e-4:
                break
        folder = os.path.join(out, family)
        model.to(torch.bfloat16).save_pretrained(folder)
        os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
        c = json.load(open(os.path.join(folder, "config.json")))
        c["dtype"] = "bfloat16"
        json.dump(c, open(os.path.join(folder, "config.json"), "w"), indent=1, sort_keys=True)
        gold = {"family": family, "model_type": family, "weights_dtype": "bfloat16", "compute": "float32, cpu, eager attention, no cache",
                "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "seed": seed,
                "min_greedy_margin": round(min(m for m, _ in seqs), 6), "sequences": [s for _, s in seqs]}
        json.dump(gold, open(os.path.join(folder, "golden.json"), "w"), indent=0)
        convert(llama, folder, "bf16", os.path.join(out, family + ".bf16.gguf"))
        record(llama, os.path.join(out, family + ".bf16.gguf"), folder)
        os.remove(os.path.join(out, family + ".bf16.gguf"))
        convert(llama, folder, "f32", os.path.join(out, family + ".f32.gguf"))
        print(family, seed, gold["min_greedy_margin"])


if __name__ == "__main__":
    main(*sys.argv[1:])
