"""report.html in headless Chromium at two widths: the plots are drawn (coloured pixels), and nothing but what scrolls by itself is
wider than the page. usage: html_screens.py QUANTZ WORK"""
import json, pathlib, shutil, struct, subprocess, sys, zlib

quantz, work = sys.argv[1], pathlib.Path(sys.argv[2])
browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
if browser is None:
    print("skip html-screens no Chromium here")
    sys.exit(0)

def pixels(path):
    """Rows of an 8-bit RGB or RGBA picture without interlace (PNG specification, section 9)."""
    data, at, body = path.read_bytes(), 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR": width, height, _, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT": body += data[at + 8:at + 8 + n]
        at += 12 + n
    step, raw, rows = {2: 3, 6: 4}[colour], zlib.decompress(body), []
    before = bytearray(width * step)
    for y in range(height):
        line = bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        how = raw[y * (width * step + 1)]
        for i in range(len(line)):
            a = line[i - step] if i >= step else 0
            b, c = before[i], before[i - step] if i >= step else 0
            if how == 1: line[i] = line[i] + a & 255
            elif how == 2: line[i] = line[i] + b & 255
            elif how == 3: line[i] = line[i] + (a + b) // 2 & 255
            elif how == 4:
                p = a + b - c
                line[i] = line[i] + min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2] & 255
        rows.append(line)
        before = line
    return width, height, step, rows

def run(*a): return subprocess.run(a, capture_output=True, text=True)

market, out = "models/market", work / "html"
eval_lines = pathlib.Path(market, "eval.jsonl").read_text().splitlines()[:20]
(work / "e.jsonl").write_text("\n".join(eval_lines) + "\n")
(work / "rules.json").write_text('{"max_kl": 0.01}')
made = run(quantz, "release", market, "--to", "gguf:Q4_0,gguf:Q8_0,ct:fp8_dynamic", "--search", "compat", "--text", str(work / "e.jsonl"), "--tasks",
           market + "/tasks.jsonl", "--max-tasks", "24", "--gate", str(work / "rules.json"), "--html", "-o", str(out), "-q", "--repeats", "1")
if made.returncode:
    print("FAIL html-screens release ended with", made.returncode, made.stderr.strip()[-200:])
    sys.exit(0)
page = out / "report.html"
for width in (1280, 390):
    shot = work / f"shot{width}.png"
    run(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={shot}", f"--window-size={width},2400", page.as_uri())
    w, h, step, rows = pixels(shot)
    coloured = sum(max(p) - min(p) > 60 for y in range(0, h, 2) for p in (rows[y][x * step:x * step + 3] for x in range(0, w, 2)))
    dark = sum(max(p) < 90 for y in range(0, h, 4) for p in (rows[y][x * step:x * step + 3] for x in range(0, w, 4)))
    ok = coloured > 1500 and dark > 300
    print(f"{'ok' if ok else 'FAIL'} html-{width} {coloured} coloured and {dark} text pixels in samples of {w} x {h}")
    # a window has 500 pixels at least, so the page is given its width, and elements say where they end
    probe = work / f"probe{width}.html"
    probe.write_text(page.read_text().replace("</body>", f"<script>document.documentElement.style.width='{width}px';let far=0;"
                     "for(const e of document.querySelectorAll('main *'))if(!e.closest('.scroll')&&!e.closest('svg'))"
                     "far=Math.max(far,e.getBoundingClientRect().right);document.body.innerHTML='W='+Math.ceil(far)</script></body>"))
    dom = run(browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={max(width, 500)},900", "--dump-dom", probe.as_uri()).stdout
    far = int(dom.split("W=")[-1].split("<")[0])
    print(f"{'ok' if 0 < far <= width else 'FAIL'} html-{width}-width elements end at {far}, page {width}")
report = json.loads((out / "report.json").read_text())
text = page.read_text()
gone = [r["artifact"] for r in report["rows"][1:] if pathlib.Path(r["artifact"]).name not in text or f"{r['kl']:.3g} [" not in text]
print(f"{'FAIL' if gone else 'ok'} html-figures {len(report['rows']) - 1} artifacts of report.json with their KL in the page {gone or ''}")
