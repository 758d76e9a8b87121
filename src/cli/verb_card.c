#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"report", 0, QZ_OPT_TEXT, QZ_AT(report), "FILE", NULL, 0, 0, "report.json of the release that measured it"},
    {"base", 0, QZ_OPT_TEXT, QZ_AT(base), "ORG/NAME", NULL, 0, 0, "the base model's name on the Hub"},
    {"license", 0, QZ_OPT_TEXT, QZ_AT(license), "NAME", NULL, 0, 0, "the base model's license: apache-2.0, llama3 …"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "FILE", NULL, 0, 0, "write it there (default: print it)"},
    QZ_OPT_FORCE_ROW,
};
const qz_verb qz_verb_card = {
    .name = "card",
    .summary = "the model card of an artifact: YAML front matter, recipe, provenance, measured "
               "figures",
    .operands = "ARTIFACT",
    .min_operands = 1,
    .max_operands = 1,
    QZ_OPTIONS(options),
    .details = "A README.md as the Hugging Face Hub reads it. What the artifact does not record "
               "is UNKNOWN, never guessed.",
    .run = qz_run_card_verb};
