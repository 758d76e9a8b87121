/* Private to engine/: state of an engine and of a KV cache, and one step through a block. */
#ifndef QZ_ENGINE_INT_H
#define QZ_ENGINE_INT_H
#include "base/arena.h"
#include "codecs/kv.h"
#include "engine/engine.h"
#include <stdatomic.h>

/* What a layer keeps (model/cache.h). */
typedef struct {
    size_t heads, k_dim, v_dim;
    size_t first;             /* sequence of slot 0, of a layer that keeps more of them than there are slots */
    void *k, *v;              /* [seq][head][max_tokens][dim]; NULL: none */
    size_t n_window, n_state;
    float *window, *state;    /* [seq][n_window], [seq][n_state]; of a sequence of no tokens without meaning */
} qz_kv_layer;

struct qz_kv {
    size_t n_layers, n_seq, max_tokens;
    size_t rope_stride;       /* floats of a position in `rope` */
    qz_kv_type type;          /* QZ_KV_EXACT: float, QZ_KV_RUNTIME: the bits of float16 */
    uint64_t bytes;
    qz_kv_layer *layers;      /* [n_layers] */
    void *data;               /* of all layers' keys and values, one behind the other (in a scratch cache: shared) */
    float *states;            /* of their windows and states */
    bool touched;             /* a call has changed states, which do not go back */
    size_t *length;           /* [n_seq] tokens already there */
    float *rope, *rope_local; /* [max_tokens][rope_stride]: cos [half], sin [half] of the rotating values; unused where
                               * qz_rope_by_call.
                         * local: of sliding layers where they have a base of their own, else NULL */
    size_t rope_ready;  /* positions filled */
};

/* A run: consecutive tokens of one sequence inside a step. */
typedef struct {
    size_t first, n; /* tokens of the batch */
    size_t seq;      /* cache slot */
    size_t past;     /* tokens in the cache before the run */
    size_t total;    /* length of the sequence at the end of the call, not of the step */
} qz_seq_run;

/* Buffers of a feed-forward of experts (experts.c). */
typedef struct {
    float *x, *y;        /* [cap, hidden] tokens of an expert, and what it makes of them */
    float *score;        /* [cap, experts] weights of the chosen ones, 0 elsewhere */
    float *weight;       /* [cap] */
    uint32_t *token;     /* [cap] */
    size_t cap;
} qz_expert_step;

typedef struct {
    float *h, *out;                               /* [cap, hidden] input of a sub-module, and what it makes of it */
    float *linear[QZ_LINEARS];                    /* [cap, rows] by number, NULL: its rows go to `out` */
    float *input[QZ_SUBS][QZ_SUB_INPUTS];         /* [cap, cols] by half and number in its kind, NULL: made in place */
    float *rounded;                               /* [cap, rounded_width] an input as its linears take it */
    size_t cap;                                   /* tokens */
    float **scores;                               /* one buffer per thread */
    size_t *scores_cap;
    float *rope;                                  /* [rope_cap][head_dim] of each token, where qz_rope_by_call */
    size_t rope_cap;
    qz_seq_run *runs;
    size_t n_runs, runs_cap;
    qz_expert_step experts;
    float *low; size_t low_room;                  /* of an adapter: A x, and a piece of B (A x) */
    const uint32_t *ids;                          /* of the step's tokens */
    float *token_rows;                            /* [threads, of the table and of a layer] where tokens have inputs */
    atomic_bool wild, beyond;                     /* a value that is not finite, a key or value beyond
                                                   * float16: seen since last asked */
} qz_step;

struct qz_engine {
    qz_run *run;
    const qz_model *model;
    qz_input_widths inputs;
    qz_arith arith;
    const qz_lora *lora;
    size_t batch_tokens;
    bool forget, route_all;
    size_t rounded_width;    /* most columns of a linear whose inputs are rounded, 0: none is */
    char rounds[48], kernel[112]; /* for reports */
    qz_mm *mm;
    qz_layer_weights *layers;
    qz_weights head;
    qz_packed *head_packed;
    const float *final_norm, *final_bias, *head_bias, *token_gains;
    qz_step step;
    qz_kv *scratch_kv;       /* for block-wise use */
    /* Where its calls stand: tokens of all windows, the first window of a call; keys and values of all windows in
     * layers that others borrow them of, of each stream. */
    struct { const uint32_t *ids; size_t n, seq, first, stream; } at;
    float *lent[2];
    size_t lent_tokens[2];
    qz_observe_fn observe;
    void *observe_arg;
    qz_arena arena;
};

/* One layer at a time is in use: the layers lie in the same memory. */
qz_status qz_kv_open_scratch(qz_engine *e, size_t n_seq, size_t max_tokens, qz_kv **out, qz_error *err);
/* Index in a layer's k and v of the first value of a sequence and head. */
size_t qz_kv_slot(const qz_kv *kv, size_t layer, size_t seq, size_t kv_head);
/* Checks that n positions fit and makes cos/sin for [0, n), where they are the same for every call. */
qz_status qz_kv_rope(qz_kv *kv, const qz_config *c, size_t n, qz_error *err);
/* Where they are not (dynamic NTK): cos/sin of the tokens of the step's runs, from each sequence's own length. Nothing
 * is kept from one call to the next, so no text can change another. Keys that are in the cache keep theirs, as in
 * the reference. */
qz_status qz_step_rope(qz_engine *e, qz_error *err);
/* Linears [first, first + count) of one block, which share an input: y[i] = x · W_iᵀ (+ bias). */
typedef struct { size_t first, count; } qz_linears;
qz_status qz_step_linears(qz_engine *e, const qz_layer_weights *w, qz_linears which, const float *x, size_t n,
                          float *const *y, qz_error *err);
/* y [n, rows] += what adapters make of x [n, cols]; l NULL: nothing. x [rows] += what they look up for a token. */
qz_status qz_step_low(qz_engine *e, const qz_low *l, const float *x, size_t n, float *y, qz_error *err);
void qz_step_low_embed(const qz_low *l, uint32_t id, float *x);
/* x [n, cols of w] as the server of w rounds it, in step.rounded until the next call; x itself where it does not. */
const float *qz_step_rounded(qz_engine *e, const qz_weights *w, const float *x, size_t n);
/* Where a sub-module stands; kv of a feed-forward is NULL. */
typedef struct { size_t layer; const qz_layer_weights *w; qz_kv *kv; } qz_place;
/* One for each kind (kinds.def): y [n, hidden] from h [n, hidden], which its norm has made. */
typedef qz_status (*qz_sub_step)(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err);
#define QZ_KIND(id, sub, word, step) \
    qz_status qz_step_##step(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err);
#include "model/kinds.def"
#undef QZ_KIND
/* Of kinds that are only planned: it fails. */
qz_status qz_step_none(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err);
/* Half `sub` of a layer, whatever kind it is. */
qz_status qz_step_sub(qz_engine *e, qz_sub sub, const qz_place *at, const float *h, size_t n, float *y, qz_error *err);
/* `need` floats of attention for each thread, in step.scores; keys: for the text of a failure. */
qz_status qz_step_reserve_scores(qz_engine *e, size_t need, size_t keys, qz_error *err);
/* Rows on the pool, a few of them without it. */
void qz_step_rows(qz_engine *e, qz_pool_fn fn, size_t n, void *job);
/* The input of linear `first` and those beside it: shown to the observer, and checked. */
qz_status qz_step_input(qz_engine *e, const qz_place *at, size_t first, const float *x, size_t n, qz_error *err);
qz_status qz_step_embed(qz_engine *e, const uint32_t *ids, size_t n, float *x, qz_error *err);
/* Weights of the experts of each token from what the router reads, x [n, hidden]; what the rule has besides, and what
 * the weights of each expert are multiplied with, or NULL. Then y [n, hidden] from what the experts read. */
typedef struct { const float *correction, *scale; } qz_choice;
qz_status qz_step_choose(qz_engine *e, const qz_place *at, const float *x, size_t n, qz_choice by, qz_error *err);
qz_status qz_step_chosen(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err);
qz_status qz_step_reserve_experts(qz_engine *e, size_t n, qz_error *err);
void qz_expert_step_release(qz_expert_step *s);
/* Tells the observer, if there is one. */
void qz_step_observe(const qz_engine *e, size_t layer, size_t input, const float *x, size_t n, size_t cols);
/* Packed products round their input to integers, which would hide NaN (float products carry it to the block's end): in
 * runtime arithmetic who writes a row notes what is not finite while the row is in cache, and `tame` fails
 * naming the layer. */
void qz_step_watch(qz_engine *e, const float *x, size_t n);
/* gate [n, cols] = act(gate) * up; and y [n, hidden] = down(act(gate h) * up h) of three linears from `first` on. */
void qz_step_gate(qz_engine *e, float *gate, const float *up, size_t n, size_t cols);
qz_status qz_step_gated(qz_engine *e, const qz_place *at, size_t first, const float *h, size_t n, float *y,
                        qz_error *err);
qz_status qz_step_tame(qz_engine *e, size_t layer, qz_error *err);
qz_status qz_step_overflow(const qz_engine *e, size_t layer, qz_error *err); /* QZ_ENUMERIC naming the layer */
/* x [n, hidden] through one block in place. */
qz_status qz_step_block(qz_engine *e, const qz_place *at, float *x, size_t n, qz_error *err);
qz_status qz_step_reserve(qz_engine *e, size_t n, qz_error *err);
qz_status qz_step_add_run(qz_engine *e, qz_seq_run r, qz_error *err);
/* h = norm(x) for n rows on the pool; the family's kind of norm. */
typedef struct { const float *gain, *bias; } qz_gains;
void qz_step_norm(qz_engine *e, const float *x, qz_gains w, size_t n, float *h);
#endif
