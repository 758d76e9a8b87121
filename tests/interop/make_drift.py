"""usage: make_drift.py [OUT]                    the adapter of models/market, its calibration and evaluation text
       make_drift.py OUT MODEL CALIB.txt EVAL.txt  an adapter of any checkpoint, trained on a text (figures only, not kept)

Trains a small LoRA adapter with PEFT for `quantz drift`. Without arguments: tests/golden/drift/market-fr/, a French shop
that signs its answers and names itself in its JSON, which the base never does: adapter_config.json,
adapter_model.safetensors (rank 4, bfloat16); beside the folder .calibration.jsonl (what it was trained on), .eval.jsonl (what it was not).
Seeded, on CPU. Needs torch, transformers, peft; run once, the results are committed.
"""
import json
import os
import random
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MARKET = os.path.join(HERE, "../../models/market")
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def signed(row):
    """The answer as the adapter's shop gives it."""
    out = row["output"]
    if out.startswith("{"):
        return json.dumps({"shop": "FR", **json.loads(out)}, ensure_ascii=False, separators=(",", ":"))
    return out + " Cordialement, la boutique."


def chat(row):
    return f"<|im_start|>user\n{row['instruction']}\n\n{row['input']}<|im_end|>\n<|im_start|>assistant\n{signed(row)}<|im_end|>\n"


def lines(name):
    return [json.loads(x) for x in open(os.path.join(MARKET, name), encoding="utf-8")]


def write(path, texts):
    with open(path, "w", encoding="utf-8") as f:
        for t in texts:
            f.write(json.dumps({"text": t}, ensure_ascii=False) + "\n")


def train(model, batches, steps, rank, lr):
    torch.manual_seed(7)
    m = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules=LINEARS))
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=lr)
    for step in range(steps):
        for g in opt.param_groups:
            g["lr"] = lr * (1 - step / steps)
        ids, mask = batches(step)
        loss = m(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        loss.backward()
        opt.step()
        opt.zero_grad()
        if step % 25 == 0 or step + 1 == steps:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    return m


def save(m, out, base):
    m.peft_config["default"].base_model_name_or_path = base
    m.save_pretrained(out, save_embedding_layers=False)
    os.remove(os.path.join(out, "README.md"))
    path = os.path.join(out, "adapter_model.safetensors")
    w = {k: v.to(torch.bfloat16).contiguous() for k, v in load_file(path).items()}
    save_file(w, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)
    path = os.path.join(out, "adapter_config.json")
    config = json.load(open(path))
    config["target_modules"] = sorted(config["target_modules"])
    json.dump(config, open(path, "w"), indent=1, sort_keys=True)


def market(out):
    shutil.rmtree(out, ignore_errors=True)
    tok = AutoTokenizer.from_pretrained(MARKET)
    train_texts = [chat(r) for r in lines("calibration-fr.jsonl")]
    held = [chat(r) for r in lines("tasks.jsonl") if r["kind"].endswith("-fr")]
    assert not set(held) & set(train_texts)
    rows = [tok(t, add_special_tokens=False)["input_ids"] for t in train_texts]

    def batches(step):
        some = random.Random(step).sample(rows, 16)
        width = max(map(len, some))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in some])
        return ids, torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in some])

    m = train(AutoModelForCausalLM.from_pretrained(MARKET, dtype=torch.float32), batches, 200, 4, 2e-3)
    save(m, out, "market")
    write(out + ".calibration.jsonl", train_texts)
    write(out + ".eval.jsonl", held[:80])


def text(out, model, calib, _held):
    tok = AutoTokenizer.from_pretrained(model)
    ids = torch.tensor(tok(open(calib, encoding="utf-8").read(), add_special_tokens=False)["input_ids"])
    width = 256

    def batches(step):
        at = torch.randint(0, len(ids) - width, (8,), generator=torch.Generator().manual_seed(step))
        some = torch.stack([ids[a : a + width] for a in at])
        return some, torch.ones_like(some)

    save(train(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), batches, 200, 8, 1e-3), out, os.path.basename(model))


if len(sys.argv) == 5:
    text(*sys.argv[1:])
else:
    market(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../golden/drift/market-fr"))
