"""Number formats decoded by gguf-py: the values of every tensor equal quantz's own decoding, bit for bit."""
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

from common import MARKET, check, guard, made

LEVELS = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K_M", "Q5_K_M", "Q6_K", "Q3_K_M", "Q2_K"]


def one(level):
    path = made(f"market.{level}.gguf", MARKET, "--to", f"gguf:{level}", "--search", "compat")
    ours = {t.name: t for t in GGUFReader(made(f"market.{level}.F32.gguf", path, "--to", "gguf:F32")).tensors}
    theirs = GGUFReader(path).tensors
    types, values, different = set(), 0, 0
    for t in theirs:
        types.add(t.tensor_type.name)
        a, b = dequantize(t.data, t.tensor_type).astype(np.float32), np.array(ours[t.name].data, dtype=np.float32)
        values += a.size
        different += int((a.ravel() != b.ravel()).sum())
    check(f"gguf-py-{level}", different == 0 and len(theirs) == len(ours),
          f"{len(theirs)} tensors ({', '.join(sorted(types))}), {values} values, {different} differ")


def main():
    for level in LEVELS:
        guard(f"gguf-py-{level}", one, level)


main()
