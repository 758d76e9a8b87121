#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "OUT", NULL, 0, 0, "folder that is written"},
    QZ_OPT_FORCE_ROW,
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0, "check that the adapters fit, write nothing"},
    QZ_OPT_ACCEPT_LOSS,
};
const qz_verb qz_verb_merge = {.name = "merge",
                               .summary = "LoRA adapters into the checkpoint they were trained on: float32, one "
                                          "rounding",
                               .operands = "BASE ADAPTER[:SCALE]…", .min_operands = 2, .max_operands = 33,
                               QZ_OPTIONS(options), .run = qz_run_merge_verb};
