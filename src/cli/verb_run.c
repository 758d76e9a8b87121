#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_SETTINGS,
    {"prompt", 'p', QZ_OPT_TEXT, QZ_AT(prompt), "TEXT", NULL, 0, 0, "the user's message (- reads standard input)"},
    {"system", 0, QZ_OPT_TEXT, QZ_AT(system), "TEXT", NULL, 0, 0, "system message"},
    {"chat", 0, QZ_OPT_TEXT, QZ_AT(chat), "FILE", NULL, 0, 0,
     "a whole conversation (JSON: messages, tools, documents, date, chat_template_kwargs) instead of --prompt"},
    {"raw", 0, QZ_OPT_FLAG, QZ_AT(raw), NULL, NULL, 0, 0, "no chat template: continue the text as it is"},
    {"max-new", 'n', QZ_OPT_COUNT, QZ_AT(max_new), "N", "256", 1, 131072, "new tokens at most"},
    {"ctx", 'c', QZ_OPT_COUNT, QZ_AT(ctx), "N", "4096", 8, 1048576, "context tokens"},
    {"temperature", 0, QZ_OPT_REAL, QZ_AT(temperature), "T", "0", 0, 10, "0 = greedy"},
    {"top-k", 0, QZ_OPT_COUNT, QZ_AT(top_k), "N", "0", 0, 1e6, "keep the N most likely tokens, 0 = all"},
    {"top-p", 0, QZ_OPT_REAL, QZ_AT(top_p), "P", "1", 0.01, 1, "keep tokens until their probabilities sum to P"},
    {"min-p", 0, QZ_OPT_REAL, QZ_AT(min_p), "P", "0", 0, 1, "drop tokens below P times the most likely one"},
    {"repetition-penalty", 0, QZ_OPT_REAL, QZ_AT(repetition_penalty), "R", "1", 0.1, 10,
     "divides the logits of tokens already used"},
    {"seed", 's', QZ_OPT_COUNT, QZ_AT(seed), "N", "1", 0, 9e15, "of the sampler"},
    {"lora", 0, QZ_OPT_LIST, QZ_AT(adapters), "DIR[:SCALE]", NULL, 0, 0,
     "a LoRA adapter (PEFT's folder or FILE.gguf) beside the model, in float32; may be repeated"},
    {"base", 0, QZ_OPT_TEXT, QZ_AT(base), "DIR", NULL, 0, 0,
     "with --lora: the artifact's float checkpoint; scales moved into norms (AWQ) are taken out of the adapter"},
    QZ_OPT_ARITH_ROW,
    {"show-special", 0, QZ_OPT_FLAG, QZ_AT(show_special), NULL, NULL, 0, 0, "print special tokens too"},
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_run = {.name = "run", .summary = "generates text from any artifact or checkpoint",
                             .operands = "ARTIFACT", .min_operands = 1,
                             .max_operands = 1, QZ_OPTIONS(options), .run = qz_run_run_verb};
