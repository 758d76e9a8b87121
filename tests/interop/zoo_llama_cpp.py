"""Every family's small model, ids as data: each GGUF file in llama.cpp gives quantz's log-probabilities.

Three comparisons a file. F16 against transformers' golden numbers. The file's weights alone: decoded to an F32 file,
which llama.cpp runs in float, against quantz's exact arithmetic on the file itself. And the file as it is, both with
8-bit activations: these random models have logits so large that rounding activations moves single log-probabilities
by tenths, so the limit is what this rounding does in llama.cpp itself (three standard errors of the mean).
"""
import numpy as np

from common import ZOO_KINDS, ZOO_MODELS, Llama, check, guard, made, perplexity, write_jsonl, zoo_awq, zoo_dir

LEVELS = ["F16", "Q8_0", "Q4_0", "Q4_K_M"]
FLOAT_LIMIT = 0.00002   # ln(perplexity), float arithmetic on both sides
GELU_LIMIT = 0.001      # the same for gemma: ggml rounds GELU's argument and value to half, whatever the arithmetic (GGML_GELU_FP16, vec.h)
FLOOR = 0.001           # ln(perplexity), 8-bit activations (F16: llama.cpp rounds activations to half)
ERRORS = 3


def float_limit(name):
    return GELU_LIMIT if name.startswith("gemma") else FLOAT_LIMIT


def logprobs(path, gold):
    m = Llama(path, 256)
    x = np.concatenate([m.logprobs(s["input_ids"]) for s in gold["sequences"]])
    m.close()
    return x


def as_f32(name, level, path):
    return made(f"{name}.{level}.F32.gguf", path, "--to", "gguf:F32")


def one(name, level, path, text, gold):
    decoded, runtime = logprobs(as_f32(name, level, path), gold), logprobs(path, gold)
    exact = np.log(perplexity(path, text, "exact")) + decoded.mean()
    ours = np.log(perplexity(path, text, "runtime"))
    diff, limit = ours + runtime.mean(), max(FLOOR, ERRORS * np.std(runtime - decoded) / np.sqrt(len(runtime)))
    good = abs(exact) <= float_limit(name) and abs(diff) <= limit
    more = ""
    if level == "F16":
        golden = -np.concatenate([s["logprob_next"] for s in gold["sequences"]]).mean()
        good &= abs(golden + runtime.mean()) <= FLOOR
        more = f"; golden (transformers) {golden:.6f}"
    check(f"zoo-{name}-{level}", good, f"ln ppl llama.cpp {-runtime.mean():.6f}, quantz {ours:.6f}, difference {diff:+.6f} (limit {limit:.6f}); "
          f"float on both sides {exact:+.7f} (limit {float_limit(name)}){more}")


def awq(name, folder, text, gold):
    diff = np.log(perplexity(folder, text, "exact")) + logprobs(as_f32(name, "AWQ", folder), gold).mean()
    check(f"zoo-{name}-AWQ", abs(diff) <= float_limit(name), f"AWQ folder in quantz against its GGUF F32 form in llama.cpp: ln ppl {diff:+.7f} (limit {float_limit(name)})")


def main():
    for name, variant in ZOO_MODELS + ZOO_KINDS:
        model, gold = zoo_dir(name, variant)
        awq_too = (name, variant) in ZOO_MODELS or name == "gemma3-6"  # groups of 32 in llama's names; experts and fused matrices have no AWQ form
        name = name if (name, variant) in ZOO_MODELS or not variant else f"{name}-{variant}"
        text = write_jsonl(f"{name}.jsonl", [{"ids": s["input_ids"]} for s in gold["sequences"]])
        for level in LEVELS:
            guard(f"zoo-{name}-{level}", lambda: one(
                name, level, made(f"{name}.{level}.gguf", model, "--to", f"gguf:{level}", "--search", "compat"), text, gold))
        if awq_too:
            guard(f"zoo-{name}-AWQ", lambda: awq(name, zoo_awq(name, model), text, gold))


main()
