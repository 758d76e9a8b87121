"""AWQ folders in transformers: configuration and tokenizer; with GPTQModel on the CPU also the logits.

transformers 5 hands AWQ to GPTQModel, which needs no GPU: its CPU kernel is compiled at the first use (minutes, cached).
"""
import json
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np

from common import MARKET, ZOO_MODELS, check, first_lines, guard, logprobs, market_awq, mean_ppl, perplexity, say, trained, write_jsonl, zoo_awq, zoo_dir

PPL_TOLERANCE = {"trained": 0.002, "zoo": 0.02}  # half precision; the zoo's random logits are large, its perplexity is e^9


def config_loads(name, folder, source):
    from transformers import AutoConfig
    a, b = AutoConfig.from_pretrained(folder).to_dict(), AutoConfig.from_pretrained(source).to_dict()
    q = a.pop("quantization_config")
    skip = {"dtype", "torch_dtype", "_name_or_path", "transformers_version"}
    other = sorted(k for k in set(a) | set(b) if k not in skip and a.get(k) != b.get(k))
    check(f"awq-config-{name}", not other and q["quant_method"] == "awq" and q["bits"] == 4,
          f"AutoConfig {a['model_type']}, group {q['group_size']}" + (f", keys differ: {other}" if other else ", all other keys as the source's"))


def tokenizer_same(folder):
    from transformers import AutoTokenizer
    a, b = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(MARKET)
    rows, _ = first_lines(os.path.join(MARKET, "eval.jsonl"), 200, "ids.jsonl")
    different = sum(a(r["text"]).input_ids != b(r["text"]).input_ids for r in rows)
    chat = [{"role": "user", "content": "7 x 2"}]
    same = a.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == b.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    check("awq-tokenizer-market", different == 0 and same, f"AutoTokenizer: {len(rows)} texts, {different} with other ids; chat template {'equal' if same else 'differs'}")


def load(folder):
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu")
    kernel = next(type(m).__name__ for n, m in model.named_modules() if n.endswith("q_proj"))
    return model.eval(), kernel


def runs(name, folder, text, sequences, tolerance):
    model, kernel = load(folder)
    theirs, ours = mean_ppl(np, [logprobs(model, s) for s in sequences]), perplexity(folder, text, "exact")
    diff = ours / theirs - 1
    check(f"awq-gptqmodel-{name}", abs(diff) <= tolerance,
          f"{kernel}: perplexity {theirs:.6g}, quantz {ours:.6g}, difference {100 * diff:+.4f} % (limit {100 * tolerance:g} %)")


def main():
    for x in trained():
        guard(f"awq-config-{x.name}", lambda: config_loads(x.name, x.awq(), x.folder))
    guard("awq-tokenizer-market", tokenizer_same, market_awq())
    models = [(n, *zoo_dir(n, v)) for n, v in ZOO_MODELS]
    for name, model, _ in models:
        guard(f"awq-config-{name}", lambda: config_loads(name, zoo_awq(name, model), model))
    try:
        import gptqmodel
        print(f"  gptqmodel {re.sub(r'[^0-9.]', '', gptqmodel.__version__)}")
    except Exception as e:  # noqa: BLE001 - the reason is the result
        say("skip", "awq-gptqmodel", f"GPTQModel does not import here: {type(e).__name__}: {e}".replace("\n", " ")[:300])
        return
    for x in trained():
        sequences, text = x.score()
        guard(f"awq-gptqmodel-{x.name}", lambda: runs(x.name, x.awq(), text, sequences, PPL_TOLERANCE["trained"]))
    for name, model, gold in models:
        ids = [s["input_ids"] for s in gold["sequences"]]
        text = write_jsonl(f"{name}.jsonl", [{"ids": s} for s in ids])
        guard(f"awq-gptqmodel-{name}", lambda: runs(name, zoo_awq(name, model), text, ids, PPL_TOLERANCE["zoo"]))


main()
