/* Rows of options that several verbs have: one description of each. */
#ifndef QZ_CLI_SHARED_OPTIONS_H
#define QZ_CLI_SHARED_OPTIONS_H
#include "cli/options.h"

#define QZ_OPT_ARITH_ROW \
    {"arith", 0, QZ_OPT_TEXT, QZ_AT(arith), "KIND", "runtime", 0, 0, \
     "runtime: fast kernels; exact: float"}
#define QZ_OPT_NO_BOS_ROW \
    {"no-bos", 0, QZ_OPT_FLAG, QZ_AT(no_bos), NULL, NULL, 0, 0, \
     "calibration windows as the text has them, not beginning with the model's BOS token"}
#define QZ_OPT_FORCE_ROW \
    {"force", 'f', QZ_OPT_FLAG, QZ_AT(force), NULL, NULL, 0, 0, \
     "replace an existing output"}
#define QZ_OPT_RESUME_ROW \
    {"resume", 0, QZ_OPT_FLAG, QZ_AT(resume), NULL, NULL, 0, 0, \
     "continue an interrupted run"}
#define QZ_OPT_HARDWARE_FILE_ROW \
    {"hardware-file", 0, QZ_OPT_TEXT, QZ_AT(hardware_file), "FILE", NULL, 0, 0, \
     "own rows of hardware"}
#define QZ_OPT_MEMORY_ROW \
    {"memory", 'm', QZ_OPT_TEXT, QZ_AT(memory), "SIZE", NULL, 0, 0, \
     "memory instead of a device's: 24GB (10^9) or 24GiB (2^30); with --cc a card"}
#define QZ_OPT_CC_CARD_ROW \
    {"cc", 0, QZ_OPT_TEXT, QZ_AT(cc), "X.Y", NULL, 0, 0, \
     "CUDA compute capability, with --memory: 7.5, 8.6, 8.9 …"}
#define QZ_OPT_LORAS_ROW \
    {"loras", 0, QZ_OPT_COUNT, QZ_AT(loras), "N", NULL, 0, 1e6, \
     "LoRA adapters served on one base"}
#define QZ_OPT_PRE_ROW \
    {"pre", 0, QZ_OPT_TEXT, QZ_AT(pre), "NAME", NULL, 0, 0, \
     "GGUF pre-tokenizer name for a tokenizer that is not known"}
#define QZ_OPT_TASKS_ROW \
    {"tasks", 0, QZ_OPT_TEXT, QZ_AT(tasks), "FILE", NULL, 0, 0, \
     "tasks with expected answers (JSONL)"}
#define QZ_OPT_PROTOCOL_ROW \
    {"protocol", 0, QZ_OPT_TEXT, QZ_AT(protocol), "NAME", NULL, 0, 0, \
     "samples, half, windows or stride (default: samples for JSONL, half for text)"}
#define QZ_OPT_WINDOWS_ROW \
    {"windows", 0, QZ_OPT_COUNT, QZ_AT(windows), "N", "auto", 0, 1e9, \
     "windows or texts at most, 0 = all; auto: 60 windows of a text, all texts of samples"}
#define QZ_OPT_WINDOW_ROW \
    {"window", 0, QZ_OPT_COUNT, QZ_AT(window), "N", "512", 8, 131072, \
     "tokens of a window (text files)"}
#define QZ_OPT_ANSWER_ROW \
    {"max-new", 0, QZ_OPT_COUNT, QZ_AT(max_new), "N", "96", 1, 131072, \
     "new tokens of an answer at most"}
#define QZ_OPT_STRIDE_ROW \
    {"stride", 0, QZ_OPT_COUNT, QZ_AT(stride), "N", "256", 1, 131072, \
     "step of protocol stride"}
#define QZ_OPT_MAX_TASKS_ROW \
    {"max-tasks", 0, QZ_OPT_COUNT, QZ_AT(max_tasks), "N", "0", 0, 1e9, \
     "tasks at most, 0 = all"}
#define QZ_OPT_BATCH_ROW \
    {"batch", 0, QZ_OPT_COUNT, QZ_AT(batch), "N", "96", 1, 4096, \
     "task sequences decoded together"}
#define QZ_OPT_SAMPLES_ROW \
    {"samples", 0, QZ_OPT_COUNT, QZ_AT(samples), "N", "128", 1, 1e6, \
     "calibration windows at most"}
#define QZ_OPT_LENGTHS_ROW \
    {"lengths", 0, QZ_OPT_TEXT, QZ_AT(lengths), "POLICY", "pack", 0, 0, \
     "calibration samples that are longer: pack (joined and cut), truncate or drop"}
#define QZ_OPT_ROUTE_ROW \
    {"route", 0, QZ_OPT_TEXT, QZ_AT(route), "WHICH", "router", 0, 0, \
     "calibration tokens that an expert's statistics are of: router (those it is sent) or all"}
#define QZ_OPT_RAW_ROW \
    {"raw", 0, QZ_OPT_FLAG, QZ_AT(raw), NULL, NULL, 0, 0, \
     "calibration data without the chat template"}
#define QZ_OPT_SEQ_LEN_ROW \
    {"seq-len", 0, QZ_OPT_COUNT, QZ_AT(seq_len), "N", "512", 8, 131072, \
     "tokens of a calibration window"}
#define QZ_OPT_SEARCH_ROW \
    {"search", 0, QZ_OPT_TEXT, QZ_AT(search), "MODE", "best", 0, 0, \
     "best: lowest error; compat: the reference's own bytes"}
#define QZ_OPT_MODULE_ROW \
    {"module", 0, QZ_OPT_LIST, QZ_AT(modules), "RULE", NULL, 0, 0, \
     "folders, may be repeated: PATTERN=SETTINGS for single modules: 'layers.0=keep'; gptq also " \
     "'down_proj=bits:8,group_size:32', 'layers.{0,31}=sym', 'layers.0.mlp=keep' (16 bits); settings bits:N, " \
     "group_size:N, sym, asym, act_order, no_act_order; ct another level, 'self_attn=fp8_dynamic'; the first that " \
     "matches decides"}
#define QZ_OPT_STRICT_ROW \
    {"strict", 0, QZ_OPT_FLAG, QZ_AT(strict), NULL, NULL, 0, 0, \
     "statistics that cannot be factored are an error, not rounding to nearest"}
#define QZ_OPT_ENGINE_ROW \
    {"engine", 0, QZ_OPT_TEXT, QZ_AT(engine), "NAME", NULL, 0, 0, \
     "refuse at once what this engine cannot load: vllm, sglang, tgi, llama.cpp …"}
#define QZ_OPT_TP_ROW \
    {"tp", 0, QZ_OPT_COUNT, QZ_AT(tp), "N", NULL, 1, 64, \
     "GPUs that will share the model (tensor parallel), with --engine"}
#define QZ_OPT_CC_ROW \
    {"cc", 0, QZ_OPT_TEXT, QZ_AT(cc), "X.Y", NULL, 0, 0, \
     "compute capability of the card, with --engine: 7.5, 8.0, 8.9, 9.0 …"}
#endif
