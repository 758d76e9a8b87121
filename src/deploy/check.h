/* Judges facts about a model, an artifact, a design note or a report: pitfalls as findings. Pure: the pipeline reads
 * the files, this decides. Every code is a row of pitfalls.def with symptom, cause and fix.
 *   qz_findings f = {.arena = &a}; qz_check_deployment(&facts, &f); qz_check_note(text, n, "design.md", &f); …
 * Sources: mission/checklist.md section 10, mission/users.md. */
#ifndef QZ_DEPLOY_CHECK_H
#define QZ_DEPLOY_CHECK_H
#include "deploy/preflight.h"

typedef struct { const char *code; qz_finding_level level; const char *symptom, *cause, *fix, *source; } qz_pitfall;
/* NULL if there is none of that code; i-th row, NULL behind the last. */
const qz_pitfall *qz_pitfall_get(const char *code);
const qz_pitfall *qz_pitfall_at(size_t i);
/* Adds a finding of a pitfall; the text tells what was found. */
void qz_check_add(qz_findings *f, const char *code, const char *subject, const char *problem, ...) QZ_PRINTF(4, 5);

typedef struct {
    const qz_deploy_spec *spec;   /* what is stored */
    const qz_deploy_spec *wanted; /* --to: what is to be made of it; NULL = nothing */
    const qz_scheme_spec *scheme; /* the same as the writer knows it; NULL: wanted's kind decides */
    const char *level;            /* GGUF: "Q4_K_M", NULL = not said; others: any text */
    bool gguf;
    int imatrix;                  /* GGUF: 1 recorded, 0 not recorded */
    double bits_per_weight;       /* of the file, 0 = unknown */
    uint64_t params;
    bool artifact;                /* weights are here, not only a config */
    bool provenance;              /* manifest, quantizer or recipe recorded */
    const char *verified_with;    /* engines recorded in the manifest, NULL = none */
    bool block_report;            /* FP4: per-block errors recorded: */
    double blocks, blocks_lost;   /* of these, blocks of which nothing is left */
    int adapter;                  /* 0 none, 1 there and documented, 2 there, base precision not documented,
                                   * 3 announced, none given */
    const char *workload;         /* "chat", "reasoning", "math", "code" …; NULL = not said */
    const char *engine;           /* name of the target engine, NULL = not said */
    uint64_t weight_bytes, kv_bytes, budget, users, ctx;  /* of all devices; budget 0: no memory asked for */
    uint64_t buffers;             /* of the runtime, its share whole, and what every device holds again */
    uint64_t max_ctx;             /* context that the model was trained for, 0 = unknown */
    bool floats_fit;              /* weights and cache in 16 bits are no more than the budget */
    bool offloaded;               /* layers beside a card; then system_*: their bytes, the cache's of them, usable */
    uint64_t system_bytes, system_kv, system_usable;
    uint64_t float_bytes;         /* of the same model in 16 bits */
    uint64_t substituted;         /* GGUF: weights in a fallback type */
} qz_check_facts;
/* The one rule of CHK-REQUANT: coded weights would be coded again. wanted: NULL = nothing is to be made. */
bool qz_check_requantizes(bool stored_coded, const qz_scheme_spec *wanted);
void qz_check_deployment(const qz_check_facts *x, qz_findings *f);

/* A design note or model card: are method, runtime, contract, tensor types named? */
void qz_check_note(const char *text, size_t n, const char *name, qz_findings *f);

/* One row of a release or evaluation report; values below zero are unknown (delta_ppl: NAN). */
typedef struct {
    const char *name;
    bool source;                  /* the unquantized baseline */
    double bytes, gen_tps, bandwidth, delta_ppl, tasks_pct;
    double ppl;                   /* used where delta_ppl is not known */
    const char *kernel;           /* of the products, "" = not said */
} qz_check_row;
/* source_sha, artifact_source_sha: of the report's baseline and of the artifact that is checked; NULL or
 * "" = unknown. */
void qz_check_report(const qz_check_row *rows, size_t n, const char *source_sha, const char *artifact_source_sha,
                     const char *name, qz_findings *f);
/* True for workloads that 4 bits hurt most. */
bool qz_workload_reasons(const char *workload);
#endif
