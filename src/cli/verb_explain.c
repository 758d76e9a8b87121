#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"tensor", 0, QZ_OPT_TEXT, QZ_AT(tensor), "NAME", NULL, 0, 0,
     "with --elem: one weight of an artifact from file byte to value"},
    {"elem", 0, QZ_OPT_TEXT, QZ_AT(elem), "R,C", NULL, 0, 0, "row and column of that weight, from 0"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0,
     "its source: shows the value before quantization too"},
    {"model", 0, QZ_OPT_TEXT, QZ_AT(base), "MODEL", NULL, 0, 0, "granularity, levels: the topic's table of this model"},
    {"w", 0, QZ_OPT_REAL, QZ_AT(w), "X", "0.37", -1e6, 1e6, "quant: the weight"},
    {"s", 0, QZ_OPT_REAL, QZ_AT(scale), "X", "0.1", 0, 1e6, "quant: the scale"},
    {"values", 0, QZ_OPT_TEXT, QZ_AT(values), "LIST", NULL, 0, 0, "quant: weights of one group, with commas"},
    {"acts", 0, QZ_OPT_TEXT, QZ_AT(acts), "LIST", NULL, 0, 0, "step: activations, with commas"},
    {"ctx", 'c', QZ_OPT_TEXT, QZ_AT(contexts), "N", NULL, 0, 0,
     "launch: tokens of a sequence: 4096, 64k (default: 4096 or what the model has)"},
    {"users", 'u', QZ_OPT_TEXT, QZ_AT(users), "N", NULL, 0, 0, "launch: sequences at the same time (default 1)"},
    {"hardware", 0, QZ_OPT_TEXT, QZ_AT(hardware), "NAME", NULL, 0, 0,
     "launch: lines that fit this card or machine ('quantz plan --hardware list')"},
    QZ_OPT_HARDWARE_FILE_ROW,
    QZ_OPT_MEMORY_ROW,
    QZ_OPT_CC_CARD_ROW,
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0,
     "launch: this engine alone: vllm, sglang, transformers, llama.cpp or ollama"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", NULL, 1, 64, "launch: cards that share the model"},
    {"kv", 0, QZ_OPT_TEXT, QZ_AT(kv), "TYPE", NULL, 0, 0, "launch: KV cache type: f16, bf16, fp8, q8_0 …"},
    QZ_OPT_ACCEPT_OPEN,
};
const qz_verb qz_verb_explain = {
    .name = "explain",
    .summary = "formulas with worked examples, exercises, a glossary, codes, launch lines, and one weight from byte to "
               "value",
    .operands = "[TOPIC | WORD | launch ARTIFACT | ARTIFACT]", .min_operands = 0, .max_operands = 4,
    .details = "Without an operand it lists the topics. Examples run through the same code as the real work.",
    QZ_OPTIONS(options), .run = qz_run_explain_verb};
