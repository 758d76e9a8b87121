#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "LIST", "awq,gguf:Q4_K_M,gguf:Q8_0", 0, 0, "artifacts to write, with commas: awq, gptq, bnb:nf4, gguf:Q4_K_M …"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0, "calibration data: JSONL or text (needed by awq; gives GGUF types their importance)"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text for perplexity and KL divergence: JSONL or text"},
    {"tasks", 0, QZ_OPT_TEXT, QZ_AT(tasks), "FILE", NULL, 0, 0, "tasks with expected answers (JSONL)"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "DIR", NULL, 0, 0, "output folder"},
    {"samples", 0, QZ_OPT_COUNT, QZ_AT(samples), "N", "128", 1, 1e6, "calibration windows at most"},
    {"seq-len", 0, QZ_OPT_COUNT, QZ_AT(seq_len), "N", "512", 8, 131072, "tokens of a calibration window"},
    {"search", 0, QZ_OPT_TEXT, QZ_AT(search), "MODE", "best", 0, 0, "best: lowest error; compat: the reference's own bytes"},
    {"protocol", 0, QZ_OPT_TEXT, QZ_AT(protocol), "NAME", NULL, 0, 0, "perplexity protocol: samples, half, windows or stride (default: samples for JSONL, half for text)"},
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9, "evaluation windows or texts at most, 0 = all; auto: 60 windows of a text, all texts of samples"},
    {"window", 0, QZ_OPT_COUNT, QZ_AT(window), "N", "512", 8, 131072, "tokens of an evaluation window (text files)"},
    {"stride", 0, QZ_OPT_COUNT, QZ_AT(stride), "N", "256", 1, 131072, "step of protocol stride"},
    {"max-tasks", 0, QZ_OPT_COUNT, QZ_AT(max_tasks), "N", "0", 0, 1e9, "tasks at most, 0 = all"},
    {"batch", 0, QZ_OPT_COUNT, QZ_AT(batch), "N", "96", 1, 4096, "task sequences decoded together"},
    {"repeats", 0, QZ_OPT_COUNT, QZ_AT(repeats), "N", "5", 1, 100, "speed measurements of each artifact"},
    {"no-bench", 0, QZ_OPT_FLAG, QZ_AT(no_bench), NULL, NULL, 0, 0, "leave the speed columns out"},
    {"propagate", 0, QZ_OPT_TEXT, QZ_AT(propagate), "KIND", NULL, 0, 0, "awq, gptq: statistics of the original model (one pass for all), or of the model quantized so far (default original)"},
    {"module", 0, QZ_OPT_LIST, QZ_AT(modules), "RULE", NULL, 0, 0, "gptq, may be repeated: PATTERN=SETTINGS for single modules: 'down_proj=bits:8,group_size:32', 'layers.{0,31}=sym', 'layers.0.mlp=keep' (16 bits); settings bits:N, group_size:N, sym, asym, act_order, no_act_order; the first that matches decides"},
    {"strict", 0, QZ_OPT_FLAG, QZ_AT(strict), NULL, NULL, 0, 0, "statistics that cannot be factored are an error, not rounding to nearest"},
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "accept findings of the data lint (CAL-LEAK …) and of the model (MOD-UNUSED,MOD-KEYS); the artifact says so"},
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0, "refuse at once what this engine cannot load: vllm, sglang, tgi, llama.cpp …"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", NULL, 1, 64, "GPUs that will share the model (tensor parallel), with --engine"},
    {"cc", 0, QZ_OPT_TEXT, QZ_AT(cc), "X.Y", NULL, 0, 0, "compute capability of the card, with --engine: 7.5, 8.0, 8.9, 9.0 …"},
    {"name", 0, QZ_OPT_TEXT, QZ_AT(name), "NAME", NULL, 0, 0, "model name in file names and cards (default: the folder's name)"},
    {"pre", 0, QZ_OPT_TEXT, QZ_AT(pre), "NAME", NULL, 0, 0, "GGUF pre-tokenizer name for a tokenizer that is not known"},
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "replace existing artifacts"},
    {"resume", 0, QZ_OPT_FLAG, QZ_AT(resume), NULL, NULL, 0, 0, "continue an interrupted run"},
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0, "print what would be written, with exact sizes"},
};
const qz_verb qz_verb_release = {
    .name = "release", .summary = "the main job: calibrate once, write every artifact, verify, evaluate, bench, one table", .operands = "MODEL",
    .min_operands = 1, .max_operands = 1,
    .details = "Writes DIR/<artifacts>, DIR/report.md and DIR/report.json. Calibration and evaluation data must not overlap.",
    QZ_OPTIONS(options), .run = qz_run_release_verb};
