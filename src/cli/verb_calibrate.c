#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_CONFIG,
    {"data", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0,
     "calibration data: JSONL (instruction/input/output, text, messages, ids) or a text file"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "STATS", NULL, 0, 0, "statistics file (default: calibration.stats)"},
    {"imatrix", 0, QZ_OPT_TEXT, QZ_AT(imatrix), "FILE", NULL, 0, 0,
     "also write llama.cpp's importance matrix (.dat or .gguf)"},
    {"lint", 0, QZ_OPT_FLAG, QZ_AT(lint), NULL, NULL, 0, 0,
     "only judge the data: findings with codes, exit 1 if it must not be used"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text, checked for overlap with the data"},
    {"tasks", 0, QZ_OPT_TEXT, QZ_AT(tasks), "FILE", NULL, 0, 0, "task file, checked for overlap with the data"},
    {"traffic", 0, QZ_OPT_TEXT, QZ_AT(traffic), "FILE", NULL, 0, 0,
     "sample of production prompts: lengths and language are compared"},
    {"samples", 0, QZ_OPT_COUNT, QZ_AT(samples), "N", "128", 1, 1e6, "windows at most"},
    QZ_OPT_NO_BOS_ROW,
    {"seq-len", 0, QZ_OPT_COUNT, QZ_AT(seq_len), "N", "512", 8, 131072, "tokens of a window"},
    {"lengths", 0, QZ_OPT_TEXT, QZ_AT(lengths), "POLICY", "pack", 0, 0, "pack, truncate or drop"},
    QZ_OPT_ROUTE_ROW,
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "accept findings knowingly (CAL-DUP,CAL-RANK …,MOD-UNUSED,MOD-KEYS); the statistics hand them on"},
    {"raw", 0, QZ_OPT_FLAG, QZ_AT(raw), NULL, NULL, 0, 0, "do not apply the chat template"},
    {"ram", 0, QZ_OPT_TEXT, QZ_AT(ram), "SIZE", NULL, 0, 0,
     "most memory, 8GiB or 8GB: the tokens go through a layer several times where its statistics take more"},
    QZ_OPT_FORCE_ROW,
    QZ_OPT_RESUME_ROW,
};
const qz_verb qz_verb_calibrate = {
    .name = "calibrate",
    .summary = "runs the model over data once and saves the statistics every method needs; --lint judges the data",
    .operands = "MODEL",
    .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options), .run = qz_run_calibrate_verb};
