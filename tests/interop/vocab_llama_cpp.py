"""The vocabularies of llama.cpp's own test suite: every file opens and gives its recorded ids (what llama.cpp itself gives where
nothing is recorded), or is refused by name. The files are 75 MB of a source package and are fetched, not kept."""
import ctypes
import glob
import os
import re
import subprocess

from common import LLAMA_CPP_PACKAGE as PACKAGE, QUANTZ, WORK, check, guard, llama_cpp_models, vocabulary

REFUSED = {"bert-bge": "found 'bert'"}  # WordPiece: an embedding model's
BETWEEN = "\n__ggml_vocab_test__\n"


def record(path, texts, out):
    """Links path into out and writes what llama.cpp gives for texts beside it."""
    c, model, vocab = vocabulary(path)
    link = os.path.join(out, os.path.basename(path))
    if not os.path.exists(link):
        os.symlink(path, link)
    with open(link + ".inp", "w") as inp, open(link + ".out", "w") as ids:
        inp.write(BETWEEN.join(texts) + BETWEEN)
        for t in texts:
            raw = t.encode()
            buf = (ctypes.c_int32 * (len(raw) + 8))()
            n = c.llama_tokenize(vocab, raw, len(raw), buf, len(buf), False, False)
            ids.write("".join(f" {i}" for i in buf[:n]) + "\n")
    c.llama_model_free(model)
    return link


def main():
    folder = llama_cpp_models()
    tool = os.path.join(os.path.dirname(QUANTZ), "src/artifacts/vocab_ids")
    files = sorted(glob.glob(os.path.join(folder, "ggml-vocab-*.gguf")))
    texts = open(os.path.join(folder, "ggml-vocab-gpt-2.gguf.inp")).read().split(BETWEEN)[:-1]
    own = os.path.join(WORK, "vocabs")
    os.makedirs(own, exist_ok=True)
    check("vocab-files", len(files) == 19, f"{len(files)} vocabularies in {PACKAGE}")
    for path in files:
        name = re.sub(r"^ggml-vocab-|\.gguf$", "", os.path.basename(path))
        guard("vocab-" + name, one, name, path, tool, texts, own)


def one(name, path, tool, texts, own):
    recorded = os.path.exists(path + ".inp")
    if not recorded:
        path = record(path, texts, own)
    p = subprocess.run([tool, path], capture_output=True, text=True)
    word = p.stdout.strip().splitlines()[-1] if p.stdout.strip() else p.stderr.strip()
    if name in REFUSED:
        check("vocab-" + name, word.startswith("refused") and REFUSED[name] in word, "refused: " + word[-60:])
    else:
        check("vocab-" + name, p.returncode == 0 and word.startswith("same"),
              word + (" from the recorded ids" if recorded else " from llama.cpp's ids"))


main()
