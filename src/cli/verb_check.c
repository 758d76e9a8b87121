#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0,
     "will it load there: vllm, sglang, tgi, tensorrt-llm, transformers, llama.cpp, ollama, lm-studio, mlx"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", NULL, 1, 64, "GPUs that share the model (tensor parallel), with --engine"},
    {"cc", 0, QZ_OPT_TEXT, QZ_AT(cc), "X.Y", NULL, 0, 0, "compute capability of the card: 7.5, 8.0, 8.6, 8.9, 9.0 …"},
    {"hardware", 0, QZ_OPT_TEXT, QZ_AT(hardware), "NAME", NULL, 0, 0,
     "a card or machine by name (rtx-4090, h100, mac-m2-16gb …): its memory and capability"},
    QZ_OPT_HARDWARE_FILE_ROW,
    QZ_OPT_MEMORY_ROW,
    {"ram", 0, QZ_OPT_TEXT, QZ_AT(ram), "SIZE", NULL, 0, 0,
     "system memory beside a card: GGUF layers that the card does not hold may lie there"},
    {"dtype", 0, QZ_OPT_TEXT, QZ_AT(dtype), "TYPE", NULL, 0, 0,
     "type that floats are run in: float16, bfloat16 or float32 (default: the model's)"},
    QZ_OPT_LORAS_ROW,
    {"users", 'u', QZ_OPT_TEXT, QZ_AT(users), "N", "1", 0, 0, "sequences at the same time, with --hardware"},
    {"ctx", 'c', QZ_OPT_TEXT, QZ_AT(contexts), "N", NULL, 0, 0,
     "tokens of a sequence (default: 4096 or what the model has)"},
    {"kv", 0, QZ_OPT_TEXT, QZ_AT(kv), "TYPE", NULL, 0, 0, "KV cache type: f16, bf16, q8_0, fp8 …"},
    {"reserve", 0, QZ_OPT_REAL, QZ_AT(reserve), "PERCENT", NULL, 0, 90,
     "memory kept free (default: by hardware and engine, as in pick)"},
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "SCHEME", NULL, 0, 0,
     "judge what this would become: awq, gptq:w4g64, gguf:Q4_K_M …"},
    {"workload", 0, QZ_OPT_TEXT, QZ_AT(workload), "NAME", NULL, 0, 0,
     "chat, reasoning, math, code, medical, extraction, long, retrieval, adapters or training"},
    {"lora", 0, QZ_OPT_TEXT, QZ_AT(lora), "DIR", NULL, 0, 0, "an adapter that will run on it"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0,
     "judge calibration data: JSONL or text; several with commas are compared"},
    {"traffic", 0, QZ_OPT_TEXT, QZ_AT(traffic), "FILE", NULL, 0, 0,
     "a sample of production prompts to compare them with"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text: overlap with --calib"},
    {"tasks", 0, QZ_OPT_TEXT, QZ_AT(tasks), "FILE", NULL, 0, 0, "tasks: overlap with --calib"},
    {"report", 0, QZ_OPT_TEXT, QZ_AT(report), "FILE", NULL, 0, 0,
     "judge a report.json of 'quantz release', or an 'eval --json': baseline, perplexity, speed, tasks"},
    {"note", 0, QZ_OPT_TEXT, QZ_AT(note), "FILE", NULL, 0, 0,
     "judge a design note or model card: method, runtime, contract"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0,
     "the source: scales of another sign or size than its own"},
    {"quick", 0, QZ_OPT_FLAG, QZ_AT(quick), NULL, NULL, 0, 0, "do not compare the manifest's hashes"},
    {"deep", 0, QZ_OPT_FLAG, QZ_AT(deep), NULL, NULL, 0, 0, "read everything: hashes, every scale, every value"},
};
const qz_verb qz_verb_check = {
    .name = "check",
    .summary = "pitfalls as tests: files, structure, engine rules, memory, data, reports; exit 0 clean, 1 findings",
    .operands = "[MODEL]",
    .min_operands = 0, .max_operands = 1,
    .details = "MODEL is a config.json, a checkpoint or artifact folder, a GGUF file, or a built-in shape such as "
               "llama-3-70b. A --report or --note is judged without MODEL too. Every finding has a code, its cause and "
               "a fix.",
    QZ_OPTIONS(options), .run = qz_run_check_verb};
