"""Renders published chat templates as transformers does and records what comes out. usage: record_families.py TEMPLATES OUT [NAME…]:
TEMPLATES holds NAME.jinja (models/templates of llama.cpp's source package llama-cpp-python 0.3.36), OUT gets copies, NAME.cases.jsonl and
conversations.json. Reference: transformers 5.23.0, jinja2 3.1.6. Not needed by the tests, which read the recorded files alone."""
import datetime, json, os, shutil, sys
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers.utils.chat_template_utils as u

NOW = datetime.datetime(2025, 3, 9, 14, 5, 7)


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return NOW


u.datetime = Frozen  # strftime_now
here = os.path.dirname(os.path.abspath(__file__))
base = json.load(open(os.path.join(here, "conversations.json")))
user, ask = {"role": "user", "content": "Hello there!"}, {"role": "user", "content": "  What is 2 + 2?\nAnswer briefly.  "}
call = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Z\u00fcrich", "days": 3}}}
result = {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"t\": 21, \"sky\": \"clear\"}"}
more = {
    "developer": [{"role": "developer", "content": "Be brief."}, user],
    "system_developer": [{"role": "system", "content": "You are terse."}, {"role": "developer", "content": "Be brief."}, ask],
    "reasoning": [user, {"role": "assistant", "content": "It is 4.", "reasoning_content": "four, surely\n"}, ask],
    "thinking_call": [ask, {"role": "assistant", "thinking": "look it up", "content": "", "tool_calls": [call]}, result],
    "call_then_answer": [ask, {"role": "assistant", "content": "One moment.", "reasoning_content": "tool", "tool_calls": [call]}, result,
                         {"role": "assistant", "content": "21 degrees.", "reasoning_content": "done"}],
    "call_without_type": [user, {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": -2.5}}}]},
                          {"role": "tool", "content": "-1.5"}],
    "result_in_parts": [user, {"role": "assistant", "content": "", "tool_calls": [call]},
                        {"role": "tool", "tool_call_id": "call00001", "content": [{"type": "text", "text": "21"}, {"type": "text", "text": " degrees"}]}],
    "text_parts": [{"role": "system", "content": [{"type": "text", "text": "You are terse."}]}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    "image_parts": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}],
    "think_tags": [user, {"role": "assistant", "content": "<think>\na\n</think>\n\nb"}, user, {"role": "assistant", "content": "<think></think>c"}],
}
keep = ["single", "multi", "system", "unicode", "tools", "tools_parallel", "bad_order", "bad_role", "empty_content", "ends_assistant"]
data = {**base, "conversations": {**{k: base["conversations"][k] for k in keep}, **more}}
# the last column: the templates' own variables
PLANS = ([(c, True, False, {}) for c in data["conversations"]] +
         [(c, False, False, {}) for c in ("multi", "ends_assistant", "reasoning")] +
         [(c, True, True, {}) for c in ("single", "system", "tools", "tools_parallel", "developer", "thinking_call", "call_then_answer", "result_in_parts")] +
         [(c, True, False, {"enable_thinking": v, "thinking": v}) for c in ("single", "reasoning") for v in (True, False)] +
         [("call_then_answer", True, True, {"enable_thinking": False, "thinking": False}),
          ("single", True, False, {"reasoning_effort": "high"}), ("single", True, True, {"builtin_tools": ["python", "browser"], "model_identity": "I am Q."}),
          ("system", True, False, {"documents": [{"title": "T", "text": "Some text."}]}), ("single", True, False, {"date_string": "2024-07-26"})])


def render(source, conversation, generate, tools, kwargs):
    args = {k: v for k, v in kwargs.items() if k != "documents"}
    return u.render_jinja_template([json.loads(json.dumps(data["conversations"][conversation]))], tools=data["tools"] if tools else None,
                                   documents=kwargs.get("documents"), chat_template=source, add_generation_prompt=generate,
                                   bos_token=data["bos_token"], eos_token=data["eos_token"], **args)[0][0]


def main(src, out, names):
    os.makedirs(out, exist_ok=True)
    json.dump(data, open(os.path.join(out, "conversations.json"), "w"), indent=1)
    total = 0
    for f in sorted(os.listdir(src)):
        name = f[:-6]
        if not f.endswith(".jinja") or (names and name not in names): continue
        source = open(os.path.join(src, f), newline="").read()
        shutil.copyfile(os.path.join(src, f), os.path.join(out, f))
        seen = set()
        with open(os.path.join(out, name + ".cases.jsonl"), "w") as o:
            for c, generate, tools, kwargs in PLANS:
                case = {"conversation": c, "add_generation_prompt": generate}
                if tools: case["tools"] = True
                if kwargs: case["kwargs"] = kwargs
                try: case["output"] = render(source, c, generate, tools, kwargs)
                except Exception as e: case["error"], case["message"] = type(e).__name__, str(e)
                told = (c, case.get("output"), case.get("message"))
                if told in seen: continue  # the template does not look at what differs
                seen.add(told)
                o.write(json.dumps(case) + "\n")
                total += 1
    print(total, "renderings")


main(sys.argv[1], sys.argv[2], sys.argv[3:])
