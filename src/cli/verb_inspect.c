#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tensors", 0, QZ_OPT_FLAG, QZ_AT(tensors), NULL, NULL, 0, 0,
     "list every tensor with type, shape, offset and bytes"},
    {"deploy", 0, QZ_OPT_FLAG, QZ_AT(deploy), NULL, NULL, 0, 0, "one line: artifact, placement and runtime"},
};
const qz_verb qz_verb_inspect = {.name = "inspect",
                                 .summary = "what a checkpoint or an artifact is: container, encoding, shapes, sizes, "
                                            "provenance",
                                 .operands = "ARTIFACT", .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options),
                                 .run = qz_run_inspect_verb};
