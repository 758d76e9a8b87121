#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"hardware", 0, QZ_OPT_TEXT, QZ_AT(hardware), "NAME", NULL, 0, 0,
     "h100, rtx-4090, mac-m2-16gb, laptop-16gb … (default: 'this', this machine as a CPU; 'quantz plan --hardware "
     "list')"},
    QZ_OPT_HARDWARE_FILE_ROW,
    QZ_OPT_MEMORY_ROW,
    QZ_OPT_CC_CARD_ROW,
    {"ram", 0, QZ_OPT_TEXT, QZ_AT(ram), "SIZE", NULL, 0, 0, "system memory beside a card, for offload (default: 32GB)"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", "1", 1, 64, "cards that share the model"},
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0,
     "vllm, sglang, tgi, tensorrt-llm, transformers, llama.cpp, ollama … (default: the usual one of the hardware)"},
    {"workload", 'w', QZ_OPT_TEXT, QZ_AT(workload), "NAME", "chat", 0, 0,
     "chat, reasoning, math, code, medical, extraction, long, retrieval, adapters or training"},
    {"tolerance", 0, QZ_OPT_TEXT, QZ_AT(tolerance), "NAME", "balanced", 0, 0,
     "balanced, quality, size or cost: what comes first"},
    {"users", 'u', QZ_OPT_TEXT, QZ_AT(users), "N", "1", 0, 0, "sequences at the same time"},
    {"ctx", 'c', QZ_OPT_TEXT, QZ_AT(contexts), "N", NULL, 0, 0,
     "tokens of a sequence: 4096, 64k (default: 4096 or what the model has)"},
    QZ_OPT_LORAS_ROW,
    {"kv", 0, QZ_OPT_TEXT, QZ_AT(kv), "TYPE", NULL, 0, 0,
     "KV cache type instead of the picked one: f16, bf16, fp8, q8_0 …"},
    {"reserve", 0, QZ_OPT_REAL, QZ_AT(reserve), "PERCENT", NULL, 0, 90,
     "memory kept free (default: by hardware: CPU 20, Mac 0 beside its wired limit, servers 10 and 2 GB)"},
    {"md", 0, QZ_OPT_TEXT, QZ_AT(md), "FILE", NULL, 0, 0, "write the answer as one Markdown page too"},
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, "replace an existing page"},
};
const qz_verb qz_verb_pick = {
    .name = "pick",
    .summary = "choose format, level, KV cache, calibration, validation and fallback for hardware and workload",
    .operands = "MODEL", .min_operands = 1, .max_operands = 1,
    .details = "MODEL is a config.json, a folder that holds one, a GGUF file, or a built-in shape such as llama-3-8b. "
               "Every line names its rule ('quantz explain RULE'); what handbooks say and what "
               "holds today stand side by side. Its findings are those of the "
               "'quantz check' that it prints. Exit 1 if the request is refused, or check warns.",
    QZ_OPTIONS(options), .run = qz_run_pick_verb};
