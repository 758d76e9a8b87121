#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_SETTINGS,
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0,
     "the source: adds KL divergence and paired differences"},
    {"others", 0, QZ_OPT_LIST, QZ_AT(others), "DIR", NULL, 0, 0,
     "uploads of the same model, by whomever: a folder of them or one (GGUF, AWQ, GPTQ, ct …); size against KL, and "
     "who made them; may be repeated; other models are skipped and named"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text: JSONL or text"},
    QZ_OPT_TASKS_ROW,
    {"protocol", 0, QZ_OPT_TEXT, QZ_AT(protocol), "NAME", NULL, 0, 0,
     "samples, half, windows or stride (default: samples for JSONL, half for text)"},
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9,
     "windows or texts at most, 0 = all; auto: 60 windows of a text, all texts of samples"},
    {"window", 0, QZ_OPT_COUNT, QZ_AT(window), "N", "512", 8, 131072, "tokens of a window (text files)"},
    QZ_OPT_STRIDE_ROW,
    {"arith", 0, QZ_OPT_TEXT, QZ_AT(arith), "KIND", "both", 0, 0,
     "exact: float; runtime: the format's own 8-bit activations; both: exact figures, and with --against the runtime's "
     "KL beside them"},
    {"lora", 0, QZ_OPT_LIST, QZ_AT(adapters), "DIR[:SCALE]", NULL, 0, 0,
     "a LoRA adapter (PEFT's folder or FILE.gguf) beside every model, in float32; may be repeated"},
    QZ_OPT_MAX_TASKS_ROW,
    QZ_OPT_BATCH_ROW,
    {"max-new", 0, QZ_OPT_COUNT, QZ_AT(max_new), "N", "96", 1, 131072, "new tokens of an answer at most"},
    {"task-samples", 0, QZ_OPT_COUNT, QZ_AT(draws), "N", "0", 0, 1000,
     "sampled answers of a task, for pass@k; 0: one answer, the most likely tokens"},
    {"temperature", 0, QZ_OPT_REAL, QZ_AT(temperature), "T", "0.8", 0.01, 10, "of sampled answers"},
    {"top-p", 0, QZ_OPT_REAL, QZ_AT(top_p), "P", "0.95", 0.01, 1,
     "of sampled answers: keep tokens until their probabilities sum to P"},
    {"seed", 's', QZ_OPT_COUNT, QZ_AT(seed), "N", "1", 0, 9e15, "of sampled answers"},
    {"task-log", 0, QZ_OPT_TEXT, QZ_AT(task_log), "FILE", NULL, 0, 0,
     "write every answer, or every option's log-likelihood, as a line of JSON"},
    QZ_OPT_FORCE_ROW,
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_eval = {
    .name = "eval", .summary = "perplexity, KL divergence to the source and solved tasks, with intervals",
    .operands = "ARTIFACT…", .min_operands = 0,
    .max_operands = 64, QZ_OPTIONS(options), .run = qz_run_eval_verb};
