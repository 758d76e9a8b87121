#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"lora", 0, QZ_OPT_LIST, QZ_AT(adapters), "DIR[:SCALE]", NULL, 0, 0,
     "the adapter (PEFT's folder; FILE.gguf where none is written)"},
    {"base", 0, QZ_OPT_TEXT, QZ_AT(base), "MODEL", NULL, 0, 0, "the float checkpoint that it was trained on"},
    {"on", 0, QZ_OPT_TEXT, QZ_AT(on), "ARTIFACT", NULL, 0, 0, "the quantized base that it is to be served on"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0,
     "evaluation text, of what the adapter is for: JSONL or text"},
    {"calib", 0, QZ_OPT_TEXT, QZ_AT(data), "FILE", NULL, 0, 0,
     "fit the adapter to the artifact on these data (not the evaluation text), and measure that too"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "DIR", NULL, 0, 0, "keep the fitted adapter: a folder of PEFT"},
    {"merged", 0, QZ_OPT_FLAG, QZ_AT(merged), NULL, NULL, 0, 0,
     "also merge it into the base and quantize that by the artifact's recipe (with --calib where it was calibrated)"},
    QZ_OPT_FORCE_ROW,
    QZ_OPT_PROTOCOL_ROW,
    QZ_OPT_WINDOWS_ROW,
    QZ_OPT_WINDOW_ROW,
    QZ_OPT_STRIDE_ROW,
    QZ_OPT_SAMPLES_ROW,
    QZ_OPT_SEQ_LEN_ROW,
    QZ_OPT_LENGTHS_ROW,
    QZ_OPT_RAW_ROW,
    QZ_OPT_NO_BOS_ROW,
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_drift = {
    .name = "drift",
    .summary = "what a LoRA adapter loses on a quantized base, and the adapter fitted to it without training",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    QZ_OPTIONS(options),
    .details = "KL of base and adapter against artifact and adapter, beside the KL of the base alone; with --calib the "
               "adapter at the same rank that comes nearest to base and adapter, in closed form from second moments; "
               "with --merged what merging first would give. Ends with the advice: accept and record, or retrain.",
    .run = qz_run_drift_verb};
