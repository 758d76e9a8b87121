#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_CONFIG,
    {"to", 0, QZ_OPT_TEXT, QZ_AT(to), "LIST", "awq,gguf:Q4_K_M,gguf:Q8_0", 0, 0,
     "artifacts to write, with commas: awq, gptq, bnb:nf4, gguf:Q4_K_M …"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0,
     "calibration data: JSONL or text (needed by awq; gives GGUF types their importance)"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0,
     "evaluation text for perplexity and KL divergence: JSONL or text"},
    QZ_OPT_TASKS_ROW,
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "DIR", NULL, 0, 0, "output folder"},
    QZ_OPT_SAMPLES_ROW,
    QZ_OPT_LENGTHS_ROW,
    QZ_OPT_RAW_ROW,
    QZ_OPT_SEQ_LEN_ROW,
    QZ_OPT_SEARCH_ROW,
    {"protocol", 0, QZ_OPT_TEXT, QZ_AT(protocol), "NAME", NULL, 0, 0,
     "perplexity protocol: samples, half, windows or stride (default: samples for JSONL, half for text)"},
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9,
     "evaluation windows or texts at most, 0 = all; auto: 60 windows of a text, all texts of samples"},
    {"window", 0, QZ_OPT_COUNT, QZ_AT(window), "N", "512", 8, 131072, "tokens of an evaluation window (text files)"},
    QZ_OPT_STRIDE_ROW,
    QZ_OPT_MAX_TASKS_ROW,
    QZ_OPT_BATCH_ROW,
    {"repeats", 0, QZ_OPT_COUNT, QZ_AT(repeats), "N", "5", 1, 100, "speed measurements of each artifact"},
    {"gate", 0, QZ_OPT_TEXT, QZ_AT(rules), "FILE", NULL, 0, 0,
     "rules set before looking (quantz gate): the verdicts go into report, cards and manifests; exit 1 if no artifact "
     "is approved"},
    {"html", 0, QZ_OPT_FLAG, QZ_AT(html), NULL, NULL, 0, 0,
     "report.html besides: one page with plots, no network needed"},
    {"no-bench", 0, QZ_OPT_FLAG, QZ_AT(no_bench), NULL, NULL, 0, 0, "leave the speed columns out"},
    {"effort", 0, QZ_OPT_TEXT, QZ_AT(effort), "LEVEL", "default", 0, 0,
     "default: one calibration pass for all; fast: the same of at most 32 windows, codes by error feedback alone; "
     "high: awq, gptq and gguf each under the model quantized so far (slower, better)"},
    QZ_OPT_NO_BOS_ROW,
    {"propagate", 0, QZ_OPT_TEXT, QZ_AT(propagate), "KIND", NULL, 0, 0,
     "awq, gptq, gguf: statistics of the original model (one pass for all), or of the model quantized so far (default "
     "original)"},
    QZ_OPT_MODULE_ROW,
    QZ_OPT_STRICT_ROW,
    {"accept", 0, QZ_OPT_TEXT, QZ_AT(accept), "CODES", NULL, 0, 0,
     "accept findings of the data lint (CAL-LEAK …) and of the model (MOD-UNUSED,MOD-KEYS,MOD-FLOAT); the artifact "
     "says so"},
    QZ_OPT_ENGINE_ROW,
    QZ_OPT_TP_ROW,
    QZ_OPT_CC_ROW,
    {"name", 0, QZ_OPT_TEXT, QZ_AT(name), "NAME", NULL, 0, 0,
     "model name in file names and cards (default: the folder's name)"},
    QZ_OPT_PRE_ROW,
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "replace existing artifacts"},
    QZ_OPT_RESUME_ROW,
    {"dry-run", 'n', QZ_OPT_FLAG, QZ_AT(dry_run), NULL, NULL, 0, 0, "print what would be written, with exact sizes"},
};
const qz_verb qz_verb_release = {
    .name = "release",
    .summary = "the main job: calibrate once, write every artifact, verify, evaluate, bench, one table",
    .operands = "MODEL",
    .min_operands = 1, .max_operands = 1,
    .details = "Writes DIR/<artifacts>, DIR/report.md and DIR/report.json. Calibration and evaluation data must not "
               "overlap.",
    QZ_OPTIONS(options), .run = qz_run_release_verb};
