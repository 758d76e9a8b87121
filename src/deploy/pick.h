/* Chooses format, level, KV type, calibration, validation and recovery ladder for hardware, engine, model and workload.
 * Rules are rows of pick.def: conditions as fields, result, source, what the source said, what holds today. One
 * matcher.
 *   qz_pick_query q = {.shape = s, .hardware = h, .engine = QZ_RUNTIME_NONE, .workload = "chat"};
 *   qz_pick(&q, &arena, &p, err);
 * Zero fields of the query take the defaults of checklist section 15: 1 user, context 4096, chat, 32 GB of system
 * memory. A request that cannot be served is no error: p.refused says why. Errors: unknown words (QZ_EUSAGE offers the
 * nearest).
 * Ownership: everything lives in the arena. Source: mission/checklist.md sections 8 and 15, table K. */
#ifndef QZ_DEPLOY_PICK_H
#define QZ_DEPLOY_PICK_H
#include "plan/memory.h"
#include "deploy/check_job.h"
#include "plan/roofline.h"
#include "plan/split.h"

typedef enum {
    QZ_PICK_REFUSE,
    QZ_PICK_FORMAT,
    QZ_PICK_KV,
    QZ_PICK_CALIBRATION,
    QZ_PICK_VALIDATION,
    QZ_PICK_LADDER,
    QZ_PICK_NOTE
} qz_pick_topic;

/* Conditions: zero and NULL mean any. Sets are bits. Memory conditions are written "LEVEL/KV": LEVEL may be "$" (the
 * chosen one); "*1" behind it asks for one user instead of all. */
typedef struct {
    const char *id;
    qz_pick_topic topic;
    unsigned hardware, engines, workloads, tolerances;
    unsigned cc_min, cc_max;           /* capability x10, inclusive */
    const char *native, *lacks;        /* type that the hardware computes in, or does not */
    uint64_t users_min, users_max, loras_min, ctx_min;
    double billions_min, billions_max; /* weights; max exclusive */
    int released, given;               /* 1: must hold, -1: must not (released quantized; engine given by the user) */
    int beyond, adapter, offloaded, detected, gpus; /* context beyond the native one; LoRA; layers in system
                                                     * memory; gpus: 1 = more than one */
    unsigned kinds;                    /* of what is stored: bits of qz_deploy */
    const char *fits, *fails;
    const char *as_fast;               /* "A B": a step with A takes at most 5 % longer than with B */
    const char *operations;            /* computing with those weights takes longer than reading them
                                        * (plan/roofline.h); where the hardware's figures are not known: from 64
                                        * users on, as handbooks have it */
    double load_min, kv_over;          /* percent of the usable memory that weights and f16 KV take; f16 KV / weights */
    const char *format;                /* the chosen level begins so; several with commas */
    const char *kv;                    /* the chosen KV type */
    const char *finds;                 /* `check` has this error of the engine on the hardware, whatever the format */
    /* result */
    const char *result;                /* FORMAT: levels, best first; KV: type; others: the line itself */
    int engine;                        /* FORMAT: qz_runtime + 1 to change to, 0 = keep */
    const char *beside;                /* named with it: "gptq:w4g128" */
    const char *code;                  /* of a note or refusal: "PICK-REASON" */
    const char *why, *source, *claim, *today;
} qz_pick_row;
const qz_pick_row *qz_pick_row_at(size_t i); /* NULL behind the last */

typedef struct {
    const qz_shape *shape;
    const char *dtype;            /* of the checkpoint, NULL = bfloat16 */
    const qz_hardware *hardware;
    bool detected;                /* the hardware is this machine */
    qz_machine_asked asked;       /* the words that name it for `check`; none: the row's name */
    const char *ram;
    const qz_deploy_spec *stored; /* of the checkpoint; NULL: by shape->released */
    uint64_t system_bytes;        /* memory beside a GPU; 0 = 32 GB */
    qz_runtime engine;            /* QZ_RUNTIME_NONE: the hardware's usual one */
    const char *workload, *tolerance;
    uint64_t users, ctx, loras, gpus;
    const char *kv;               /* asked for; NULL = picked */
    double reserve;               /* percent, of system and runtime; below zero = the row of the hardware */
    uint64_t weight_bytes;        /* of a file that is served as released; 0 = estimated from its format */
} qz_pick_query;

typedef struct {
    const qz_pick_row *row;
    const char *answer, *source_says; /* FORMAT and KV: in words; source_says "-" when the sources are silent */
} qz_pick_line;

/* What a person should know of the answer beside what `check` finds: no finding, no level. */
typedef struct { const char *code, *rule, *text, *source; } qz_pick_note;

typedef struct {
    bool refused;
    bool offer;                   /* refused, and what comes nearest is filled in */
    const char *refusal;
    qz_pick_line format, kv, calibration, ladder;
    const qz_pick_row **validation; size_t n_validation;
    qz_findings flags;            /* those of `check` with the options below, no more and no less */
    qz_pick_note *notes; size_t n_notes;
    qz_check_options check;       /* the command that judges the answer */
    const char *dtype;            /* that floats are run in where the card lacks theirs, or NULL */
    qz_level level;               /* QZ_LEVEL_COUNT when released as it is, or refused */
    qz_kv_type kv_type;
    qz_runtime engine;
    const char *levels, *beside;  /* candidates that were tried, and what to benchmark beside */
    const char *larger;           /* the next level up that fits too, or NULL */
    uint64_t users, ctx, loras, gpus;
    const char *workload, *tolerance;
    qz_memory memory;             /* of the choice */
    uint64_t float_bytes, capacity;
    double reserve, overhead;     /* of the budget row */
    uint64_t max_users, max_ctx;  /* 0 = not even one */
    uint64_t kv_f16, kv_small;    /* bytes of the request's cache in 16 bits, and in 8 */
    qz_roofline speed;            /* of the choice; step_s 0: not known, or not asked for */
    qz_layer_split split;         /* offload only */
    bool offloaded;
    const char *deploy;           /* "AWQ W4 g128 (GEMM) on vLLM 0.33.0 (2026-11-21), KV bf16": never a bare width */
} qz_pick_answer;
/* The share of memory kept free, and the bytes of the runtime, of an engine on such hardware. percent: of --reserve,
 * which stands for both; below zero: not given. */
void qz_pick_budget(const qz_hardware *h, qz_runtime engine, double percent, double *reserve, double *overhead);
/* The engine that is taken where none is named. */
qz_runtime qz_pick_usual_engine(const qz_hardware *h);
/* Of so much system memory, what layers beside a card may take. */
uint64_t qz_pick_system_usable(uint64_t bytes);
/* The findings of `check` with these options on the query's model, from its shape alone; machine: as the query has it,
 * NULL = the engine's rules alone, without memory. */
qz_status qz_pick_judge(const qz_pick_query *q, const qz_check_options *o, const qz_hardware *machine, qz_arena *arena,
                        qz_findings *out, qz_error *err);
/* Exit code 1 in pick as in check: refused, or a finding that is more than a note. */
bool qz_pick_objects(const qz_pick_answer *a);
qz_status qz_pick(const qz_pick_query *q, qz_arena *arena, qz_pick_answer *out, qz_error *err);
/* i-th known word, NULL behind the last. */
const char *qz_pick_tolerance(size_t i);
#endif
