"""lm-evaluation-harness 0.4.13 and quantz on the same items: each log-likelihood, each answer, each score.
usage: harness.py QUANTZ WORK. On text-13m with 500 items of its docs.eval, or, where it does not lie there, on the bundled model
with 60 items of its own text."""
import json
import os
import subprocess
import sys

from common import EXTRA, MARKET, QUANTZ, ROOT, WORK, say

HERE = os.path.dirname(os.path.abspath(__file__))
model, text, n = MARKET, os.path.join(WORK, "market.txt"), 60
if os.path.exists(os.path.join(EXTRA, "data/docs.eval.txt")):
    model, text, n = EXTRA, os.path.join(EXTRA, "data/docs.eval.txt"), 500
else:
    with open(os.path.join(MARKET, "eval.jsonl"), encoding="utf-8") as f, open(text, "w", encoding="utf-8") as out:
        out.write("\n".join(json.loads(line)["text"] for line in f))
items, theirs = os.path.join(WORK, "harness-items"), os.path.join(WORK, "harness")
subprocess.run([sys.executable, os.path.join(HERE, "make_choice_items.py"), text, items, str(n)], check=True)
subprocess.run([sys.executable, os.path.join(HERE, "harness_scores.py"), model, items, theirs], check=True, stdout=sys.stderr)
scores = json.load(open(os.path.join(theirs, "scores.json")))

for name, metrics in (("choice", ("acc", "acc_norm", "acc_bytes")), ("next", ("acc",)), ("copy", ("exact_match",))):
    log = os.path.join(WORK, f"{name}.log.jsonl")
    done = subprocess.run([QUANTZ, "eval", model, "--tasks", f"{items}/{name}.jsonl", "--task-log", log, "--force", "--json", "-q"],
                          check=True, capture_output=True, text=True)
    row = json.loads(done.stdout)["rows"][0]
    ours = {r["line"]: r for r in map(json.loads, open(log, encoding="utf-8"))}
    worst, differs = 0.0, 0
    for i, line in enumerate(open(f"{theirs}/{name}.tsv", encoding="utf-8")):
        mine, cells = ours[i + 1], line.rstrip("\n").split("\t")
        if "answer" in mine:
            differs += json.loads(cells[0]) != mine["answer"]
            continue
        for cell, value, greedy in zip(cells, mine["logprob"], mine["greedy"], strict=True):
            worst = max(worst, abs(float(cell.rstrip("*")) - value))
            differs += cell.endswith("*") != greedy
    mine = {"acc": row.get("acc_solved", row["tasks_solved"]), "acc_norm": row.get("acc_norm_solved"),
            "acc_bytes": row.get("acc_bytes_solved"), "exact_match": row["tasks_solved"]}
    same = all(round(scores[name][m + ",none"] * n) == mine[m] for m in metrics)
    words = ", ".join(f"{m} {mine[m]} of {n} (harness {scores[name][m + ',none'] * n:.0f})" for m in metrics)
    good = same and differs == 0 and worst < 2e-3
    say("ok" if good else "FAIL", f"harness-{name}",
        f"{os.path.relpath(model, ROOT)}: {words}; {differs} items differ, log-likelihoods within {worst:.1e}")
