#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0, "the source"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text: JSONL or text"},
    QZ_OPT_PROTOCOL_ROW,
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9, "windows or texts at most, 0 = all; auto: 8"},
    QZ_OPT_WINDOW_ROW,
    QZ_OPT_STRIDE_ROW,
    {"tensors", 0, QZ_OPT_FLAG, QZ_AT(tensors), NULL, NULL, 0, 0, "every tensor (default: the worst)"},
};
const qz_verb qz_verb_blame = {
    .name = "blame",
    .summary = "each tensor's share of an artifact's KL divergence, and what one more bit there buys",
    .operands = "ARTIFACT",
    .min_operands = 1,
    .max_operands = 1,
    QZ_OPTIONS(options),
    .details = "Measured by swapping: the source with one tensor of the artifact at a time. A float "
               "copy of the artifact's matrices stays in memory.",
    .run = qz_run_blame_verb};
