#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_SETTINGS,
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0,
     "the source: adds KL divergence and paired differences"},
    {"others", 0, QZ_OPT_LIST, QZ_AT(others), "DIR", NULL, 0, 0,
     "uploads of the same model, by whomever: a folder of them or one (GGUF, AWQ, GPTQ, ct …); size against KL, and "
     "who made them; may be repeated; other models are skipped and named"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "evaluation text: JSONL or text"},
    QZ_OPT_TASKS_ROW,
    QZ_OPT_PROTOCOL_ROW,
    QZ_OPT_WINDOWS_ROW,
    QZ_OPT_WINDOW_ROW,
    QZ_OPT_STRIDE_ROW,
    {"arith", 0, QZ_OPT_TEXT, QZ_AT(arith), "KIND", "both", 0, 0,
     "exact: float; runtime: the format's own 8-bit activations; both: exact figures, and with --against the runtime's "
     "KL beside them"},
    {"lora", 0, QZ_OPT_LIST, QZ_AT(adapters), "DIR[:SCALE]", NULL, 0, 0,
     "a LoRA adapter (PEFT's folder or FILE.gguf) beside every model, in float32; may be repeated"},
    QZ_OPT_MAX_TASKS_ROW,
    QZ_OPT_BATCH_ROW,
    QZ_OPT_ANSWER_ROW,
    {"task-samples", 0, QZ_OPT_COUNT, QZ_AT(draws), "N", "0", 0, 1000,
     "sampled answers of a task, for pass@k; 0: one answer, the most likely tokens"},
    {"temperature", 0, QZ_OPT_REAL, QZ_AT(temperature), "T", "0.8", 0.01, 10, "of sampled answers"},
    {"top-p", 0, QZ_OPT_REAL, QZ_AT(top_p), "P", "0.95", 0.01, 1,
     "of sampled answers: keep tokens until their probabilities sum to P"},
    {"seed", 's', QZ_OPT_COUNT, QZ_AT(seed), "N", "1", 0, 9e15, "of sampled answers"},
    {"task-log", 0, QZ_OPT_TEXT, QZ_AT(task_log), "FILE", NULL, 0, 0,
     "write every answer, or every option's log-likelihood, as a line of JSON"},
    {"runtime", 0, QZ_OPT_TEXT, QZ_AT(runtime), "KIND:WHERE", NULL, 0, 0,
     "measure the artifact as another program runs it, beside our own run: openai:http://127.0.0.1:PORT/v1 (a server "
     "that is running) or llama-perplexity:PATH"},
    {"runtime-host", 0, QZ_OPT_TEXT, QZ_AT(runtime_host), "HOST", NULL, 0, 0,
     "a server that is not on this machine is spoken to only when it is named here"},
    {"runtime-seconds", 0, QZ_OPT_REAL, QZ_AT(runtime_seconds), "S", "600", 1, 86400,
     "of one request, or of llama-perplexity, at most"},
    {"positions", 0, QZ_OPT_COUNT, QZ_AT(positions), "N", "256", 1, 1e6,
     "with --runtime: positions of the text at most, one request each where the server takes token ids"},
    {"concurrency", 0, QZ_OPT_TEXT, QZ_AT(concurrency), "LIST", NULL, 0, 0,
     "with --runtime: speed with so many requests at once: 1,4,16,64"},
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0,
     "with --runtime: what the server is, where it does not say"},
    {"store", 0, QZ_OPT_FLAG, QZ_AT(store), NULL, NULL, 0, 0,
     "with --runtime: a run that verified the artifact goes into its manifest (verified_with, which clears CHK-PAIR)"},
    {"journal", 0, QZ_OPT_TEXT, QZ_AT(journal), "FILE", NULL, 0, 0,
     "with --runtime: keeps every finished window and answer; removed at the end"},
    QZ_OPT_RESUME_ROW,
    QZ_OPT_FORCE_ROW,
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_eval = {
    .name = "eval", .summary = "perplexity, KL divergence to the source and solved tasks, with intervals",
    .operands = "ARTIFACT…", .min_operands = 0,
    .max_operands = 64, QZ_OPTIONS(options), .run = qz_run_eval_verb};
