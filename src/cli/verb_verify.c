#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tokens", 0, QZ_OPT_TEXT, QZ_AT(tokens), "FILE", NULL, 0, 0,
     "compare token ids on this text with the source's tokenizer (--against)"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0, "the source, for --tokens"},
};
const qz_verb qz_verb_verify = {.name = "verify",
                                .summary = "checks an artifact: hashes against its manifest, structure, shapes, "
                                           "scales, decoding",
                                .operands = "ARTIFACT", .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options),
                                .run = qz_run_verify_verb};
