#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    QZ_OPT_SETTINGS,
    {"rules", 0, QZ_OPT_TEXT, QZ_AT(rules), "FILE", NULL, 0, 0,
     "limits, set before looking: {\"min_accuracy\": 0.9, \"max_kl\": 0.05} or {\"rules\": [{\"metric\": \"kl\", "
     "\"max\": 0.05, "
     "\"confidence\": 0.95}]} (default: caution levels of perplexity, and no more than 2 % of tasks lost)"},
    {"metrics", 0, QZ_OPT_FLAG, QZ_AT(metrics), NULL, NULL, 0, 0, "what a rule can limit"},
    {"all", 0, QZ_OPT_FLAG, QZ_AT(every), NULL, NULL, 0, 0,
     "exit 1 unless every candidate is approved (default: unless one is)"},
    {"sequential", 0, QZ_OPT_FLAG, QZ_AT(sequential), NULL, NULL, 0, 0,
     "stop as soon as each rule of KL and tasks is certain (confidence sequences: at most 1 - confidence wrong, "
     "whenever they stop)"},
    {"lock", 0, QZ_OPT_TEXT, QZ_AT(lock), "FILE", NULL, 0, 0,
     "refuse what is certainly worse than the locked build: KL more than 10 % up, 2 % of tasks lost, 2 % more bytes, "
     "windows and "
     "tasks paired (rules kl_drift, accuracy_drift, size_drift set other limits)"},
    {"write-lock", 0, QZ_OPT_TEXT, QZ_AT(write_lock), "FILE", NULL, 0, 0,
     "lock what was measured: KL by window, each task's result, bytes"},
    QZ_OPT_FORCE_ROW,
    {"store", 0, QZ_OPT_FLAG, QZ_AT(store), NULL, NULL, 0, 0,
     "the verdict and the hash of the rules into the manifest of each artifact that is here (a card keeps what "
     "release wrote)"},
    {"against", 0, QZ_OPT_TEXT, QZ_AT(against), "MODEL", NULL, 0, 0,
     "the source, for artifacts that are measured now"},
    {"text", 0, QZ_OPT_TEXT, QZ_AT(text), "FILE", NULL, 0, 0, "the same: evaluation text"},
    QZ_OPT_TASKS_ROW,
    {"protocol", 0, QZ_OPT_TEXT, QZ_AT(protocol), "NAME", NULL, 0, 0, "samples, half, windows or stride (as eval)"},
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9, "windows or texts at most, 0 = all (as eval)"},
    QZ_OPT_WINDOW_ROW,
    QZ_OPT_STRIDE_ROW,
    QZ_OPT_MAX_TASKS_ROW,
    QZ_OPT_BATCH_ROW,
    QZ_OPT_ANSWER_ROW,
    {"repeats", 0, QZ_OPT_COUNT, QZ_AT(repeats), "N", "5", 1, 100,
     "repeats of speed measurements, where a rule asks for speed"},
    QZ_OPT_ACCEPT_MODEL,
};
const qz_verb qz_verb_gate = {
    .name = "gate",
    .summary = "approves or refuses measured artifacts by rules set before looking; exit 0 approved, 1 refused",
    .operands = "REPORT.json|ARTIFACT…",
    .min_operands = 0,
    .max_operands = 64,
    .details =
        "A rule passes when its whole interval lies within the limit; an interval that holds the limit is "
        "insufficient data, and the "
        "number of samples that would decide is named. Reports: report.json of release, --json of eval and bench, or "
        "{\"candidates\": [{\"name\": \"AWQ-4bit\", \"accuracy\": 0.92, \"memory_gb\": 4.1}]}; rows of one artifact "
        "from "
        "several files are one candidate.",
    QZ_OPTIONS(options),
    .run = qz_run_gate_verb};
