#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tokens", 0, QZ_OPT_TEXT, QZ_AT(tokens), "FILE", NULL, 0, 0,
     "compare token ids on this text with the source's tokenizer (--against)"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0, "the source, for --tokens"},
    {"tokenizer", 0, QZ_OPT_FLAG, QZ_AT(tokenizer), NULL, NULL, 0, 0,
     "only the tokenizer: ids of 10^5 texts by the source and by the artifact"},
    {"source", 0, QZ_OPT_TEXT, QZ_AT(source), "MODEL", NULL, 0, 0,
     "the source, for --tokenizer (default: the pipeline that a GGUF file of quantz holds)"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "FILE", NULL, 0, 0,
     "where --tokenizer stores its evidence (default: the manifest)"},
};
const qz_verb qz_verb_verify = {.name = "verify",
                                .summary = "checks an artifact: hashes against its manifest, structure, shapes, "
                                           "scales, decoding",
                                .operands = "ARTIFACT", .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options),
                                .run = qz_run_verify_verb};
