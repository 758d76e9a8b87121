#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_CONFIG,
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "SCHEME", NULL, 0, 0,
     "awq, gptq:w4g128+asym, gguf:Q4_0, gguf:Q8_0 … (bare awq or gptq: bits and groups of the source)"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "OUT", NULL, 0, 0,
     "output file or folder (default: <model>-GPTQ, <model>.Q4_0.gguf)"},
    {"config-dir", 0, QZ_OPT_TEXT, QZ_AT(config_dir), "DIR", NULL, 0, 0,
     "folder whose config.json and tokenizer are carried over (default: the source)"},
    {"base", 0, QZ_OPT_TEXT, QZ_AT(base), "DIR", NULL, 0, 0,
     "of a LoRA adapter (--to gguf): the folder with its base's config.json"},
    QZ_OPT_MODULE_ROW,
    {"lossy", 0, QZ_OPT_FLAG, QZ_AT(lossy), NULL, NULL, 0, 0,
     "code again what the target's grid cannot hold; the loss is printed"},
    {"repair", 0, QZ_OPT_FLAG, QZ_AT(repair), NULL, NULL, 0, 0,
     "mend a published FP8 or NVFP4 folder in its own scheme (instead of --to)"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0,
     "with --repair: data that missing scales of inputs and cache are computed from"},
    QZ_OPT_SAMPLES_ROW,
    QZ_OPT_SEQ_LEN_ROW,
    {"name", 0, QZ_OPT_TEXT, QZ_AT(name), "NAME", NULL, 0, 0, "model name in metadata (default: the source's name)"},
    QZ_OPT_PRE_ROW,
    QZ_OPT_FORCE_ROW,
    QZ_OPT_RESUME_ROW,
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0,
     "print what is exact, bounded or lossy, write nothing"},
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "drop parts, ignore keys that nothing reads, leave matrices float without a rule (MOD-UNUSED,MOD-KEYS,MOD-FLOAT)"},
};
const qz_verb qz_verb_convert = {.name = "convert",
                                 .summary = "one artifact from another: exact where the grids allow; --repair mends "
                                            "published ones",
                                 .operands = "ARTIFACT",
                                 .min_operands = 1, .max_operands = 1, QZ_OPTIONS(options), .run = qz_run_convert_verb};
