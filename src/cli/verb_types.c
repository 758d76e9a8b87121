#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"families", 0, QZ_OPT_FLAG, QZ_AT(families), NULL, NULL, 0, 0,
     "the model families instead: what each is made of, and what can be done with it here"},
};
const qz_verb qz_verb_types = {.name = "types",
                               .summary = "the number formats: block, bytes, bits per weight, whether importance is "
                                          "used",
                               .operands = "", .min_operands = 0, .max_operands = 0, QZ_OPTIONS(options),
                               .run = qz_run_types_verb};
