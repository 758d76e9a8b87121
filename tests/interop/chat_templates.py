"""All chat templates of llama.cpp's source package, rendered by transformers and by quantz: every rendering equal, byte for byte."""
import os
import subprocess
import sys

from common import QUANTZ, ROOT, WORK, check, guard, llama_cpp_models


def main():
    out = os.path.join(WORK, "templates")
    subprocess.run([sys.executable, os.path.join(ROOT, "tests/golden/chat/record_families.py"),
                    os.path.join(llama_cpp_models(), "templates"), out], check=True, stdout=subprocess.DEVNULL)
    p = subprocess.run([os.path.join(os.path.dirname(QUANTZ), "src/text/chat_test"), out], capture_output=True, text=True)
    check("chat-templates", p.returncode == 0, p.stdout.strip().splitlines()[-1] if p.stdout.strip() else p.stderr[-200:])


guard("chat-templates", main)
