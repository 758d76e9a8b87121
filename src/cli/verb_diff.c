#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tensors", 0, QZ_OPT_FLAG, QZ_AT(tensors), NULL, NULL, 0, 0,
     "every tensor in the order of A (default: the ten worst)"},
    {"strict", 0, QZ_OPT_FLAG, QZ_AT(strict), NULL, NULL, 0, 0, "exit 1 if anything differs"},
    QZ_OPT_ACCEPT_OPEN,
};
const qz_verb qz_verb_diff = {.name = "diff",
                              .summary = "two models side by side: error of every tensor, metadata, tokenizer, chat "
                                         "template",
                              .operands = "A B",
                              .min_operands = 2, .max_operands = 2, QZ_OPTIONS(options), .run = qz_run_diff_verb};
