/* Everything a verb may be asked for. Option rows (cli/) fill it; a verb reads its own part. Strings are
 * borrowed from argv. */
#ifndef QZ_PRODUCE_REQUEST_H
#define QZ_PRODUCE_REQUEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/run.h"

/* Values of an option that may be given several times. */
#define QZ_COUNT_AUTO ((uint64_t)1 << 40) /* a count that was not given: the word "auto" */

typedef struct { const char *at[32]; size_t n; } qz_text_list;

typedef struct qz_request {
    const char *verb;
    char **operands; size_t n_operands;
    /* common */
    bool json, quiet, version, progress_json;
    uint64_t threads;
    const char *cpu, *config;
    /* source and output */
    const char *to, *output, *data, *text, *tasks, *stats, *imatrix, *traffic, *against, *accept, *name, *pre;
    bool force, resume, dry_run, lint, strict;
    /* calibration */
    uint64_t samples, seq_len, seed;
    const char *lengths, *propagate, *route;
    const char *sweep, *compare_data, *scheme; /* calibrate: what it buys (pipeline/trials.h) */
    /* quantization */
    const char *search, *ram, *without;
    double damp, mse;
    qz_text_list modules;  /* rules for single modules (artifacts/module_rules.h) */
    qz_text_list tensor_types; /* llama-quantize's (artifacts/tensor_types.h) */
    const char *output_type, *embedding_type;
    bool pure, leave_output;
    const char *split_size, *split_tensors, *reserve_room; /* files of a GGUF artifact (artifacts/gguf_layout.h) */
    bool keep_split, empty_first, allow_requantize;
    qz_text_list overrides; /* --override-kv */
    bool no_mtp;           /* folders leave out what predicts tokens beyond the next */
    bool no_clip;          /* awq --search compat: without the search of clipping bounds */
    bool no_bos;           /* calibration windows as the text has them */
    const char *effort;    /* "fast", "default", "high"; "normal": release's default, one pass of the
                            * original model for all */
    bool together, linted; /* linted: the same data were read and reported before */
    const char *accepted;  /* and what of the findings the user took (text/accepted.h) */
    /* evaluation */
    const char *protocol, *arith, *kv;
    const char *task_log;  /* JSONL of every answer */
    const char *runtime, *runtime_host, *concurrency, *journal; /* eval --runtime (pipeline/served.h) */
    uint64_t positions; double runtime_seconds;
    qz_text_list others;   /* other people's uploads of the same model */
    uint64_t draws;        /* sampled answers of a task; 0: one, greedy */
    uint64_t windows, window, stride, /* windows: QZ_COUNT_AUTO, or as given */
             max_tasks, batch, repeats, max_new;
    bool no_bench, html;
    /* run */
    const char *prompt, *system, *chat;
    qz_text_list adapters; /* --lora: DIR or DIR:SCALE */
    bool raw, show_special;
    double temperature, top_p, min_p, repetition_penalty;
    uint64_t top_k, ctx;
    /* deployment: check, pick, the pre-flight of quantize and release */
    const char *engine, *cc, *workload, *tolerance, *md, *note, *report, *lora, *dtype;
    uint64_t tp, loras;
    bool deep, quick;
    /* gate */
    const char *rules, *lock, *write_lock;
    bool metrics, every, store, sequential;
    /* plan (hardware, memory … serve pick too) */
    const char *hardware, *hardware_file, *memory, *overhead, *disk, *formats, *matrix, *contexts, *users;
    bool levels, shapes, offload, speed, job, exact;
    double reserve;        /* percent; -1: not given */
    double overhead_ms;
    /* explain */
    const char *tensor, *elem, *values, *acts;
    double w, scale;
    /* convert (diff: strict, tensors) */
    bool lossy, repair;
    const char *config_dir, *base;
    const char *license;   /* card */
    /* inspect */
    bool deploy, tensors;
    bool families;                   /* types: the families instead */
    const char *tokens;
    bool tokenizer;                  /* verify: the tokenizer by behaviour, against `source` */
    const char *source;
    const char *rederive;            /* verify: "all" or a share, "5%" */
    const char *on;                  /* drift: the artifact that the adapter of --lora is put on */
    const char *only;                /* claims: these ids */
    bool merged;                     /* drift: and against one merged before, by the recipe */
    const struct qz_request *recipe; /* and what quantize would be asked for: the artifact's recipe, its source */
} qz_request;
#endif
