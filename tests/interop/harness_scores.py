#!/usr/bin/env python3
"""usage: harness_scores.py MODEL ITEMS OUT   (lm_eval 0.4.13, torch, transformers; CPU, float32)

Runs lm-evaluation-harness on the three files of make_choice_items.py through harness/*.yaml, and writes for each item what it
found (log-likelihoods, greedy, answers) and its scores: OUT/choice.tsv, next.tsv, copy.tsv, scores.json."""
import json
import os
import pathlib
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"


def main():
    model, items, out = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    here = pathlib.Path(__file__).resolve().parent / "harness"
    out.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    import lm_eval
    import yaml
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    os.chdir(items)
    tasks = []
    for name in ("choice", "next", "copy"):
        config = yaml.safe_load((here / f"{name}.yaml").read_text())
        config["dataset_kwargs"]["data_files"]["test"] = str(items / f"{name}.jsonl")
        tasks.append(config)
    lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=16)
    result = lm_eval.simple_evaluate(model=lm, tasks=tasks, log_samples=True, bootstrap_iters=0, task_manager=TaskManager(include_defaults=False))
    scores = {}
    for task, rows in result["samples"].items():
        name = task.removeprefix("quantz_")
        by_doc = {}
        for row in rows:
            by_doc.setdefault(row["doc_id"], []).append(row)
        with open(out / f"{name}.tsv", "w", encoding="utf-8") as f:
            for _, doc in sorted(by_doc.items()):
                resps = doc[0]["resps"]
                cells = []
                for r in resps:
                    r = r[0]
                    cells.append(json.dumps(r) if isinstance(r, str) else f"{float(r[0]):.4f}{'*' if str(r[1]) == 'True' else ''}")
                f.write("\t".join(cells) + "\n")
        scores[name] = {k: v for k, v in result["results"][task].items() if isinstance(v, float) and "stderr" not in k}
    scores["lm_eval"] = lm_eval.__version__
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    print(json.dumps(scores))


main()
