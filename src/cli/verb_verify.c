#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tokens", 0, QZ_OPT_TEXT, QZ_AT(tokens), "FILE", NULL, 0, 0,
     "compare token ids on this text with the source's tokenizer (--against)"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0, "the source, for --tokens"},
    {"tokenizer", 0, QZ_OPT_FLAG, QZ_AT(tokenizer), NULL, NULL, 0, 0,
     "only the tokenizer: ids of 10^5 texts by the source and by the artifact"},
    {"source", 0, QZ_OPT_TEXT, QZ_AT(source), "MODEL", NULL, 0, 0,
     "the source, for --rederive, and for --tokenizer (default there: the pipeline that a GGUF file of quantz holds)"},
    {"rederive", 0, QZ_OPT_TEXT, QZ_AT(rederive), "SHARE", NULL, 0, 0,
     "code tensors again from --source and the recorded recipe, and compare: all, or a random share (5%)"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0, "for --rederive: the calibration data of the artifact"},
    {"stats", 0, QZ_OPT_TEXT, QZ_AT(stats), "FILE", NULL, 0, 0, "or its statistics"},
    {"imatrix", 0, QZ_OPT_TEXT, QZ_AT(imatrix), "FILE", NULL, 0, 0, "or its importance matrix"},
    {"seed", 0, QZ_OPT_COUNT, QZ_AT(seed), "N", "0", 0, 9e15,
     "which tensors a share takes; 0: drawn afresh, and printed"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "FILE", NULL, 0, 0,
     "where --tokenizer stores its evidence (default: the manifest)"},
};
const qz_verb qz_verb_verify = {.name = "verify",
                                .summary = "checks an artifact: hashes against its manifest, structure, shapes, "
                                           "scales, decoding",
                                .operands = "ARTIFACT", .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options),
                                .run = qz_run_verify_verb};
