#include "cli/shared_options.h"
#include "cli/verbs.h"
#include "pipeline/verbs.h"

static const qz_option options[] = {
    {"formats", 0, QZ_OPT_TEXT, QZ_AT(formats), "LIST", "default", 0, 0,
     "formats to compare: awq,Q4_K_M,fp8 …; gguf = every GGUF level; all"},
    {"levels", 0, QZ_OPT_FLAG, QZ_AT(levels), NULL, NULL, 0, 0, "every GGUF level: the same as --formats gguf"},
    {"ctx", 'c', QZ_OPT_TEXT, QZ_AT(contexts), "LIST", NULL, 0, 0,
     "tokens of context; a list (4k,32k) makes a table (default: 4096 or what the model has)"},
    {"users", 'u', QZ_OPT_TEXT, QZ_AT(users), "LIST", "1", 0, 0, "sequences at a time; a list makes a table"},
    {"kv", 0, QZ_OPT_TEXT, QZ_AT(kv), "TYPE", NULL, 0, 0,
     "KV cache: f16, bf16, fp8, q8_0, q4_0 …; K/V apart as q8_0/q4_0 (default f16; fp8 where an artifact has scales "
     "of its cache)"},
    {"hardware", 0, QZ_OPT_TEXT, QZ_AT(hardware), "NAME", NULL, 0, 0,
     "device to fit: h100, rtx-4090, mac-m2-16gb …; 'list' shows all"},
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0,
     "with --hardware: the share of this engine, as in pick and check (default: the usual one of the hardware)"},
    {"hardware-file", 0, QZ_OPT_TEXT, QZ_AT(hardware_file), "FILE", NULL, 0, 0,
     "own devices: rows of name, kind, visible MiB, GB/s, native types, capability x10, date, source, separated by "
     "tabs"},
    {"memory", 'm', QZ_OPT_TEXT, QZ_AT(memory), "SIZE", NULL, 0, 0,
     "memory to fit instead of a device's: 24GB (10^9) or 24GiB (2^30)"},
    {"reserve", 0, QZ_OPT_REAL, QZ_AT(reserve), "PERCENT", NULL, 0, 95,
     "share of the memory kept free (default: by --hardware as in pick; of --memory 20)"},
    {"overhead", 0, QZ_OPT_TEXT, QZ_AT(overhead), "SIZE", NULL, 0, 0,
     "kept for the runtime besides, its buffers included (not given: as in pick; --offload of a bare size: 0.5GB)"},
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", "1", 1, 1024, "devices that share the model (tensor parallel)"},
    {"imatrix", 0, QZ_OPT_TEXT, QZ_AT(imatrix), "FILE", NULL, 0, 0,
     "GGUF mixes as they are with an importance matrix ('yes' is enough)"},
    {"matrix", 0, QZ_OPT_TEXT, QZ_AT(matrix), "SIZES", NULL, 0, 0,
     "formats over model sizes: billions (1,7,70) or shape names"},
    {"offload", 0, QZ_OPT_FLAG, QZ_AT(offload), NULL, NULL, 0, 0,
     "layers over GPU and system memory, estimate and exact"},
    {"ram", 0, QZ_OPT_TEXT, QZ_AT(ram), "SIZE", NULL, 0, 0, "system memory beside the card, for --offload"},
    {"speed", 0, QZ_OPT_FLAG, QZ_AT(speed), NULL, NULL, 0, 0,
     "decode speed from bandwidth and operations a second: a ceiling, not a promise"},
    {"overhead-ms", 0, QZ_OPT_REAL, QZ_AT(overhead_ms), "MS", "0", 0, 10000, "constant time a token for --speed"},
    {"job", 0, QZ_OPT_FLAG, QZ_AT(job), NULL, NULL, 0, 0,
     "what quantizing costs here: peak memory, peak disk, time; refused if the disk is too small"},
    {"output", 'o', QZ_OPT_TEXT, QZ_AT(output), "DIR", ".", 0, 0, "where --job would write"},
    {"disk", 0, QZ_OPT_TEXT, QZ_AT(disk), "SIZE", NULL, 0, 0,
     "free disk for --job (default: what DIR's file system has)"},
    {"samples", 0, QZ_OPT_COUNT, QZ_AT(samples), "N", "128", 1, 1e6, "calibration windows for --job"},
    {"seq-len", 0, QZ_OPT_COUNT, QZ_AT(seq_len), "N", "512", 8, 131072, "tokens of a calibration window for --job"},
    {"exact", 0, QZ_OPT_FLAG, QZ_AT(exact), NULL, NULL, 0, 0,
     "bytes of the files this program would write, beside the weights"},
    {"shapes", 0, QZ_OPT_FLAG, QZ_AT(shapes), NULL, NULL, 0, 0, "list the built-in model shapes"},
};
const qz_verb qz_verb_plan = {
    .name = "plan",
    .summary = "memory of weights and KV cache in every format; what fits a device, how many users, how long a context",
    .operands = "[MODEL]", .min_operands = 0, .max_operands = 1,
    .details = "MODEL is a config.json, a folder that holds one (weights are not needed), a GGUF file, an artifact, or "
               "a built-in shape (llama-3-70b, qwen3-4b, mixtral-8x7b … see --shapes).",
    QZ_OPTIONS(options), .run = qz_run_plan_verb};
