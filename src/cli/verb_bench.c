#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_SETTINGS,
    {"prompt", 'p', QZ_OPT_TEXT, QZ_AT(prompt), "TEXT", NULL, 0, 0,
     "prompt (default: \"Convert temperature.\\n\\n75 F\")"},
    {"max-new", 0, QZ_OPT_COUNT, QZ_AT(max_new), "N", "100", 1, 131072, "new tokens, greedy"},
    {"window", 0, QZ_OPT_COUNT, QZ_AT(window), "N", "512", 1, 131072, "prompt tokens of the prompt-processing figure"},
    {"repeats", 0, QZ_OPT_COUNT, QZ_AT(repeats), "N", "5", 1, 100, "repeats; medians and spread are shown"},
    QZ_OPT_ARITH_ROW,
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_bench = {
    .name = "bench",
    .summary = "size, load, time to first token, prompt and generation speed, memory, share of the memory bandwidth",
    .operands = "ARTIFACT…", .min_operands = 1, .max_operands = 64, QZ_OPTIONS(options), .run = qz_run_bench_verb};
