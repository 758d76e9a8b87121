#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "OUT", NULL, 0, 0,
     "merge: the file to write; a name that ends in .dat gives the old form"},
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "merge: replace an existing output"},
};
const qz_verb qz_verb_imatrix = {
    .name = "imatrix", .summary = "importance matrices merged, converted, and in numbers",
    .operands = "JOB FILE…", .min_operands = 1, .max_operands = 66,
    .details = "merge FILE… -o OUT: sums and tokens added, as llama-imatrix --in-file; of one file its other form. "
               "stats FILE: a row for each weight, as llama-imatrix --show-statistics.",
    QZ_OPTIONS(options), .run = qz_run_imatrix_verb};
