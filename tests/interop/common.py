"""What the checks share: result lines, quantz, made-once artifacts, and log-probabilities out of llama.cpp.

A check prints one line a result: `ok NAME figures`, `FAIL NAME figures` or `skip NAME reason`. run counts them.
"""
import json
import os
import subprocess
import sys
import time

QUANTZ = os.path.abspath(sys.argv[1])
WORK = os.path.abspath(sys.argv[2])
ROOT = os.getcwd()
MARKET = os.path.join(ROOT, "models/market")
# a second trained model, which does not ship with the project: run when it lies there (or where QZ_INTEROP_MODEL says)
EXTRA = os.path.abspath(os.environ.get("QZ_INTEROP_MODEL", os.path.join(ROOT, "../shared/models/text-13m")))
ZOO = os.path.join(ROOT, "tests/golden/zoo")
# models of the zoo, with the config that replaces theirs (a window cannot be said in GGUF: measured without one)
ZOO_MODELS = [("llama", None), ("mistral", "no-window"), ("qwen2", None), ("qwen3", None), ("llama3-rope", None)]
# families of more kinds, as GGUF can say them (make_variants.py): gemma's query scale by head_dim, gemma3 with six layers, no window
# in phi3, with factors by length and without, no dense layer in qwen3_moe
ZOO_KINDS = [("gemma2", "query-head-dim"), ("gemma3-6", None), ("phi3", "no-window"), ("phi3", "no-window-plain"), ("mixtral", None), ("qwen3_moe-sparse", None)]


def say(word, name, text):
    print(f"{word} {name} {text}", flush=True)


def vocabulary(path):
    """llama.cpp's model of a file without its weights, quiet. -> (the library, model, vocabulary)"""
    import llama_cpp.llama_cpp as c
    c.llama_backend_init()
    vocabulary.quiet = c.llama_log_callback(lambda *a: None)
    c.llama_log_set(vocabulary.quiet, None)
    params = c.llama_model_default_params()
    params.vocab_only = True
    model = c.llama_model_load_from_file(path.encode(), params)
    if not model:
        raise RuntimeError(f"llama.cpp does not load '{path}'")
    return c, model, c.llama_model_get_vocab(model)


def check(name, good, text):
    say("ok" if good else "FAIL", name, text)
    return good


def quantz(*args):
    """Standard output of quantz; an error of the program is an exception with its text."""
    p = subprocess.run([QUANTZ, *args], capture_output=True, text=True)
    if p.returncode != 0:
        raise RuntimeError(f"quantz {' '.join(args)}: exit {p.returncode}: {p.stderr.strip()[-400:]}")
    return p.stdout


def perplexity(artifact, text, arith):
    return json.loads(quantz("eval", artifact, "--text", text, "--arith", arith, "--json", "-q"))["rows"][0]["ppl"]


def made(name, *args):
    """The artifact WORK/name, made by `quantz quantize ARGS` unless it is there."""
    path = os.path.join(WORK, name)
    if not os.path.exists(path):
        quantz("quantize", *args, *([] if "--accept" in args else ["--accept", "MOD-FLOAT"]), "-o", path, "-q")  # odd widths of the zoo
    return path


def zoo_dir(name, variant):
    """The golden model, or a copy of it under another config, and the golden numbers."""
    src = os.path.join(ZOO, name)
    if variant is None:
        return src, json.load(open(os.path.join(src, "golden.json")))
    out = os.path.join(WORK, f"{name}-{variant}")
    os.makedirs(out, exist_ok=True)
    for f in os.listdir(src):
        to = os.path.join(out, f)
        if f.endswith(".safetensors") and not os.path.exists(to):
            os.symlink(os.path.join(src, f), to)
    with open(os.path.join(src, "variants", variant + ".config.json")) as f, open(os.path.join(out, "config.json"), "w") as g:
        g.write(f.read())
    return out, json.load(open(os.path.join(src, "variants", variant + ".golden.json")))


def write_jsonl(name, rows):
    path = os.path.join(WORK, name)
    with open(path, "w") as f:
        for r in rows:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    return path


def zoo_awq(name, model):
    """AWQ with groups of 32; the calibration rows are random ids with a fixed seed."""
    import random
    r = random.Random(7)
    cal = write_jsonl("zoo-calibration.jsonl", [{"ids": [r.randrange(3, 256) for _ in range(64)]} for _ in range(16)])
    return made(f"{name}-AWQ", model, "--to", "awq:w4g32", "--calib", cal, "--seq-len", "64", "--accept", "CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN")


LINES = 20               # of the bundled model's evaluation texts
WINDOWS, TOKENS = 8, 256 # of the second model's


class Trained:
    """A trained model: its folder, the options that calibrate on its own data, token sequences to score and their file."""

    def __init__(self, name, folder, calibration):
        self.name, self.folder, self.calibration = name, folder, calibration

    def score(self):
        """(sequences, file for quantz eval)"""
        from transformers import AutoTokenizer
        t = AutoTokenizer.from_pretrained(self.folder)
        if self.name == "market":
            rows, text = first_lines(os.path.join(self.folder, "eval.jsonl"), LINES, "eval20.jsonl")
            return [t(r["text"]).input_ids for r in rows], text
        ids = t(open(os.path.join(self.folder, "data/docs.eval.txt")).read()).input_ids
        sequences = [ids[i * TOKENS:(i + 1) * TOKENS] for i in range(WINDOWS)]
        return sequences, write_jsonl(f"{self.name}.jsonl", [{"ids": s} for s in sequences])

    def awq(self):
        return made(f"{self.name}-AWQ", self.folder, "--to", "awq", *self.calibration)


def trained():
    out = [Trained("market", MARKET, ["--calib", os.path.join(MARKET, "calibration.jsonl")])]
    if os.path.exists(os.path.join(EXTRA, "model.safetensors")):
        out.append(Trained(os.path.basename(EXTRA), EXTRA, ["--calib", os.path.join(EXTRA, "data/docs.calib.txt"), "--samples", "16", "--accept", "CAL-COUNT"]))
    return out


def market_awq():
    return trained()[0].awq()


GGUF_NAME = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def interleaved(w, heads):
    """GGUF's llama files hold q and k rows as rotation pairs: back to the checkpoint's halves."""
    rows, cols = w.shape
    return w.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def decoded(name, folder):
    """What quantz's reader makes of a folder: {module: float32 [out, in]}, out of its own GGUF F32 conversion."""
    import numpy as np
    from gguf import GGUFReader
    config = json.load(open(os.path.join(folder, "config.json")))
    heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
    tensors = {t.name: t for t in GGUFReader(made(f"{name}.F32.gguf", folder, "--to", "gguf:F32")).tensors}
    out = {}
    for layer in range(config["num_hidden_layers"]):
        for part, short in GGUF_NAME.items():
            w = np.array(tensors[f"blk.{layer}.{short}.weight"].data)
            if config["model_type"] in ("llama", "mistral") and part in heads:
                w = interleaved(w, heads[part])
            out[f"model.layers.{layer}.{part}"] = w
    return out


def logprobs(model, ids):
    """Log-probabilities of ids[1:] in a model of transformers."""
    import torch
    with torch.no_grad():
        x = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].double(), -1)
    return x[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()


def first_lines(path, n, name):
    rows = [json.loads(line) for line in open(path)][:n]
    return rows, write_jsonl(name, rows)


class Llama:
    """One model in llama.cpp through the C interface: ids in, logits of every position out."""

    def __init__(self, path, n_ctx=1024):
        import llama_cpp.llama_cpp as c
        import numpy as np
        import ctypes
        self.c, self.np, self.ctypes = c, np, ctypes
        c.llama_backend_init()
        self._quiet = c.llama_log_callback(lambda *a: None)
        c.llama_log_set(self._quiet, None)
        m = c.llama_model_default_params()
        m.use_extra_bufts = False  # repacked weights: on CPUs with AMX that version ends with SIGSEGV (ggml_backend_amx_mul_mat)
        self.model = c.llama_model_load_from_file(path.encode(), m)
        if not self.model:
            raise RuntimeError(f"llama.cpp does not load '{path}'")
        p = c.llama_context_default_params()
        p.n_ctx = p.n_batch = p.n_ubatch = n_ctx
        p.n_threads = p.n_threads_batch = 2
        p.type_k = p.type_v = 0  # f32: the cache of quantz's evaluation
        p.flash_attn_type = 0
        self.ctx = c.llama_init_from_model(self.model, p)
        if not self.ctx:
            raise RuntimeError(f"llama.cpp makes no context for '{path}'")
        self.vocab = c.llama_model_get_vocab(self.model)
        self.n_vocab = c.llama_vocab_n_tokens(self.vocab)
        self.batch = c.llama_batch_init(n_ctx, 0, 1)

    def close(self):
        self.c.llama_batch_free(self.batch)
        self.c.llama_free(self.ctx)
        self.c.llama_model_free(self.model)

    def decode(self, ids, start, every):
        b = self.batch
        b.n_tokens = len(ids)
        for i, t in enumerate(ids):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0] = t, start + i, 1, 0
            b.logits[i] = every or i == len(ids) - 1
        if self.c.llama_decode(self.ctx, b) != 0:
            raise RuntimeError("llama_decode failed")
        rows = len(ids) if every else 1
        p = self.c.llama_get_logits(self.ctx)
        return self.np.ctypeslib.as_array(p, shape=(rows, self.n_vocab)).astype(self.np.float64)

    def clear(self):
        self.c.llama_memory_clear(self.c.llama_get_memory(self.ctx), True)

    def logprobs(self, ids):
        """[n - 1] log-probability of every next id."""
        self.clear()
        x = self.decode(ids, 0, True)[:-1]
        x -= x.max(axis=1, keepdims=True)
        lse = self.np.log(self.np.exp(x).sum(axis=1))
        return x[self.np.arange(len(ids) - 1), ids[1:]] - lse

    def tokenize(self, text, special=True):
        raw = text.encode()
        out = (self.ctypes.c_int32 * (len(raw) + 8))()
        n = self.c.llama_tokenize(self.vocab, raw, len(raw), out, len(out), True, special)
        return list(out[:n])

    def text(self, ids):
        buf = self.ctypes.create_string_buffer(256)
        raw = b""
        for t in ids:
            n = self.c.llama_token_to_piece(self.vocab, t, buf, 256, 0, False)
            raw += buf.raw[:n]
        return raw.decode(errors="replace")

    def greedy(self, ids, n):
        self.clear()
        out, at = [], 0
        while len(out) < n:
            t = int(self.decode(ids, at, False)[0].argmax())
            at += len(ids)
            if self.c.llama_vocab_is_eog(self.vocab, t):
                break
            out.append(t)
            ids = [t]
        return out

    def chat(self, user):
        """The prompt after the file's own chat template, as llama-cpp-python applies it."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter
        template = self.c.llama_model_chat_template(self.model, None)
        if not template:
            raise RuntimeError("the file has no chat template")
        f = Jinja2ChatFormatter(template=template.decode(), eos_token="<|im_end|>", bos_token="")
        return f(messages=[{"role": "user", "content": user}]).prompt


def mean_ppl(np, parts):
    return float(np.exp(-np.concatenate(parts).mean()))


def timed(fn):
    t = time.monotonic()
    return fn(), time.monotonic() - t


LLAMA_CPP_PACKAGE = "llama_cpp_python-0.3.36"


def llama_cpp_models():
    """models/ of llama.cpp as its source package has it: vocabularies and templates (QZ_INTEROP_MODELS, if set)."""
    import tarfile
    if os.environ.get("QZ_INTEROP_MODELS"):
        return os.environ["QZ_INTEROP_MODELS"]
    out = os.path.join(WORK, LLAMA_CPP_PACKAGE, "vendor/llama.cpp/models")
    if not os.path.isdir(out):
        name, version = LLAMA_CPP_PACKAGE.replace("_", "-").rsplit("-", 1)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", WORK,
                        f"{name}=={version}"], check=True)
        with tarfile.open(os.path.join(WORK, LLAMA_CPP_PACKAGE + ".tar.gz")) as tar:
            tar.extractall(WORK, [m for m in tar if "/vendor/llama.cpp/models/" in m.name], filter="data")
    return out


def guard(name, fn, *args):
    """A check that raises is a failed check with the reason."""
    try:
        return fn(*args)
    except Exception as e:  # noqa: BLE001 - the reason is the result
        say("FAIL", name, f"{type(e).__name__}: {e}")
        return None
