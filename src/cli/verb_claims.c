#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0, "calibration data: JSONL or text"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text: JSONL or text"},
    {"tasks", 0, QZ_OPT_TEXT, QZ_AT(tasks), "FILE", NULL, 0, 0, "tasks for C-200 (JSONL)"},
    {"only", 0, QZ_OPT_TEXT, QZ_AT(only), "IDS", NULL, 0, 0, "these claims, with commas: C-197,C-203"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "DIR", NULL, 0, 0,
     "keep artifacts, claims.md and claims.json there; with --resume artifacts that stand there are used again"},
    QZ_OPT_RESUME_ROW,
    QZ_OPT_FORCE_ROW,
    {"no-bench", 0, QZ_OPT_FLAG, QZ_AT(no_bench), NULL, NULL, 0, 0, "no speed measurements"},
    {"memory", 'm', QZ_OPT_TEXT, QZ_AT(memory), "SIZE", NULL, 0, 0,
     "memory for C-206, 24GB (default: twice the model's size)"},
    QZ_OPT_WINDOWS_ROW,
    QZ_OPT_WINDOW_ROW,
    QZ_OPT_STRIDE_ROW,
    QZ_OPT_SAMPLES_ROW,
    QZ_OPT_SEQ_LEN_ROW,
    QZ_OPT_LENGTHS_ROW,
    QZ_OPT_MAX_TASKS_ROW,
    QZ_OPT_BATCH_ROW,
    QZ_OPT_ANSWER_ROW,
    {"repeats", 0, QZ_OPT_COUNT, QZ_AT(repeats), "N", "5", 1, 100, "repeats of speed measurements"},
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_claims = {
    .name = "claims",
    .summary = "what handbooks claim about quantization, measured on this model: holds, fails, or why not measured",
    .operands = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    QZ_OPTIONS(options),
    .details = "Artifacts are made as the libraries make them (--search compat), then measured in one pass on the same "
               "tokens. 'quantz explain claims' lists the claims as told.",
    .run = qz_run_claims_verb};
