#include "cli/verbs.h"
#include "pipeline/verbs.h"

const qz_verb qz_verb_types = {.name = "types",
                               .summary = "the number formats: block, bytes, bits per weight, whether importance is "
                                          "used",
                               .operands = "", .min_operands = 0, .max_operands = 0, .run = qz_run_types_verb};
