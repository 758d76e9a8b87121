#!/usr/bin/env python3
"""usage: make_choice_items.py TEXT FOLDER [N]

Items of three kinds from a text, for the harness' tests: N lines each of choice.jsonl (a passage and four ways to go
on, one of them the text's own), next.jsonl (a passage and the word behind it) and copy.jsonl (lines of a list, the
next of which is to be written). Lengths are bounded in characters (passages of choices 339, options 30), not in
tokens: no tokenizer is asked. The same text gives the same items: nothing is random but a generator of its own. Each
line is read by quantz as it is, and by lm-evaluation-harness through harness/*.yaml."""
import json
import pathlib
import re
import sys


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    out = pathlib.Path(sys.argv[2])
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    out.mkdir(parents=True, exist_ok=True)
    words = re.sub(r"\s+", " ", text).split(" ")
    state = 12345

    def draw(below):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % below

    def passage(start, most):
        end, size = start, 0
        while end < len(words) and size + len(words[end]) + 1 <= most:
            size += len(words[end]) + 1
            end += 1
        return " ".join(words[start:end]), end

    choice, near, copy = [], [], []
    while len(choice) < n:
        context, end = passage(draw(len(words) - 400), 200 + draw(140))
        options = [passage(end, 30)[0]] + [passage(draw(len(words) - 400), 30)[0] for _ in range(3)]
        if len(set(options)) < 4 or min(map(len, options)) < 8 or not context:
            continue
        answer = draw(4)
        options[0], options[answer] = options[answer], options[0]
        choice.append({"context": context, "choices": options, "answer": answer, "group": "short" if len(context) < 270 else "long"})
    while len(near) < n:
        context, end = passage(draw(len(words) - 400), 120 + draw(120))
        if context and words[end]:
            near.append({"check": "likelihood", "context": context, "output": words[end]})
    while len(copy) < n:
        word = words[draw(len(words) - 400)]
        if re.fullmatch(r"[a-z]{3,9}", word):
            context = "".join(f"{word} {word} {word}\n" for _ in range(3)) + f"{word} {word}"
            copy.append({"check": "exact", "context": context, "strip": False, "output": " " + word, "until": ["\n"], "max_new": 8})
    for name, rows in (("choice", choice), ("next", near), ("copy", copy)):
        with open(out / f"{name}.jsonl", "w", encoding="utf-8") as f:
            for row in rows:
                f.write(json.dumps(row, ensure_ascii=False) + "\n")


main()
