"""eval --runtime against the real programs: llama-server and llama-perplexity, built from the source package of
llama-cpp-python (or those in QZ_LLAMA_BIN), and llama-cpp-python's own server. For each the artifact must be verified with
the KL that a run of the same codes has, another model must be refused, and a server that is ended must be one error line."""
import json, os, shutil, socket, subprocess, sys, tarfile, time, urllib.request

quantz, work = sys.argv[1:3]
version = "0.3.36"


def sh(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True, **kw)


def llama_bin():
    if os.environ.get("QZ_LLAMA_BIN"):
        return os.environ["QZ_LLAMA_BIN"]
    root = os.path.join(os.path.dirname(sys.executable), "..", "llama.cpp")
    out = os.path.join(root, "build", "bin")
    if os.path.exists(os.path.join(out, "llama-server")) and os.path.exists(os.path.join(out, "llama-perplexity")):
        return out
    os.makedirs(root, exist_ok=True)
    r = sh(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", root,
           f"llama-cpp-python=={version}")
    archive = os.path.join(root, f"llama_cpp_python-{version}.tar.gz")
    if not os.path.exists(archive):
        print(f"skip runtimes pip cannot fetch llama-cpp-python {version}: {r.stderr.strip()[-150:]}")
        sys.exit(0)
    with tarfile.open(archive) as t:
        t.extractall(root, filter="data")
    src = os.path.join(root, f"llama_cpp_python-{version}", "vendor", "llama.cpp")
    steps = (["cmake", "-S", src, "-B", os.path.join(root, "build"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_TESTS=OFF",
              "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF"],
             ["ninja", "-C", os.path.join(root, "build"), "llama-server", "llama-perplexity"])
    for s in steps:
        r = sh(*s)
        if r.returncode:
            print(f"skip runtimes llama.cpp does not build: {(r.stdout + r.stderr).strip()[-150:]}")
            sys.exit(0)
    return out


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(args, port, env):
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    for _ in range(240):
        if p.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2).read()
            return p
        except OSError:
            time.sleep(0.5)
    return None


def check(name, ok, detail):
    print(("ok " if ok else "FAIL ") + f"runtimes {name}: {detail}", flush=True)


def evaluate(*args):
    r = sh(quantz, "eval", *args, "-q", "--json")
    last = r.stderr.strip().splitlines()[-1:] or [""]
    return r.returncode, (json.loads(r.stdout) if r.stdout.startswith("{") else {}), last[0]


def server(name, args, port, env, art, other, text, tasks, engine):
    p = start(args, port, env)
    if p is None:
        check(name, False, "the server did not start")
        return
    url = f"openai:http://127.0.0.1:{port}/v1"
    code, j, last = evaluate(art, "--runtime", url, "--text", text, "--tasks", tasks, "--against", "models/market", "--positions", "120", "--store",
                             "--concurrency", "1,4")
    check(f"{name} verifies", code == 0 and j["verified"] and j["kl_at_least"] < 0.002 and j["same_answers"] >= 0.9 * j["tasks"] and engine in j["engine"],
          f"KL at least {j.get('kl_at_least', -1):.6f} over {j.get('positions')} positions, {j.get('same_answers')} of {j.get('tasks')} answers the same; {last}")
    r = sh(quantz, "check", art, "--engine", "llama.cpp")
    check(f"{name} clears CHK-PAIR", "CHK-PAIR" not in r.stdout, "check --engine llama.cpp")
    print("  " + name + ": " + "; ".join(f"{s['concurrency']} at once {s['tokens_s']:.0f} tokens/s, first text {1e3 * s['ttft_p50_s']:.1f} ms, {s['failed']} failed"
                                       for s in j.get("speed", [])))
    code, _, last = evaluate(other, "--runtime", url, "--text", text, "--positions", "20")
    check(f"{name} is not another model's", code in (1, 2) and "quantz: error:" in last, last[:160])
    p.kill()
    p.wait()
    code, _, last = evaluate(art, "--runtime", url, "--text", text)
    check(f"{name} ended", code == 3 and "no answer from" in last, last[:160])


bin_dir = llama_bin()
env = dict(os.environ, LD_LIBRARY_PATH=bin_dir + ":" + os.environ.get("LD_LIBRARY_PATH", ""))
os.environ["LD_LIBRARY_PATH"] = env["LD_LIBRARY_PATH"]
text, tasks, plain = (os.path.join(work, f) for f in ("served.jsonl", "served-tasks.jsonl", "served.txt"))
with open("models/market/eval.jsonl") as f, open(text, "w") as o, open(plain, "w") as q:
    lines = f.readlines()
    o.writelines(lines[:30])
    for mark in ("<|im_start|>", "<|im_end|>"):
        lines = [l.replace(mark, "") for l in lines]
    q.writelines(json.loads(l)["text"] for l in lines)
with open("models/market/tasks.jsonl") as f, open(tasks, "w") as o:
    o.writelines(f.readlines()[:40])
# the same tokens and other weights: every tensor of another seed
other = os.path.join(work, "served-other")
shutil.copytree("models/market", other)
with open(os.path.join(other, "model.safetensors"), "r+b") as f:
    n = int.from_bytes(f.read(8), "little")
    head = json.loads(f.read(n))
    for t, v in head.items():
        if t.endswith("down_proj.weight"):
            b, e = v["data_offsets"]
            f.seek(8 + n + b)
            data = bytearray(f.read(e - b))
            data[1::2] = bytes(x ^ 0x80 for x in data[1::2])  # the other sign
            f.seek(8 + n + b)
            f.write(data)
for kind, engine in (("llama-server", "llama.cpp"), ("llama-cpp-python", "llama.cpp")):
    art = os.path.join(work, f"served-{kind}.gguf")
    sh(quantz, "quantize", "models/market", "--to", "gguf:Q4_K_M", "-o", art, "-q")
    port = free_port()
    args = ([os.path.join(bin_dir, "llama-server"), "-m", art, "--host", "127.0.0.1", "--port", str(port), "-c", "4096", "-np", "4", "-t", "2"]
            if kind == "llama-server" else [sys.executable, "-m", "llama_cpp.server", "--model", art, "--host", "127.0.0.1", "--port", str(port),
                                            "--n_ctx", "1024", "--logits_all", "true"])
    server(kind, args, port, env, art, other, text, tasks, engine)
code, j, last = evaluate(art, "--runtime", "llama-perplexity:" + os.path.join(bin_dir, "llama-perplexity"), "--text", plain, "--window", "256", "--windows", "16")
check("llama-perplexity", code == 0 and j["verified"], f"{j.get('served_ppl')} +/- {j.get('served_ppl_se')}, here {j.get('our_ppl')} exact, {j.get('our_runtime_ppl')} in runtime arithmetic; {last}")
