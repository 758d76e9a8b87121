/* Kinds of sub-modules. A decoder block is a mixer and a feed-forward; a kind lists its linears, in the order of the
 * writers, and the inputs that they read, in the order in which a token meets them. model/sites.h expands everything
 * else from these rows.
 * The names of linears below are for the engine's file of the kind (what it computes depends on them) and for tests:
 * all others go over the linears of a block or the inputs by number. */
#ifndef QZ_MODEL_KINDS_H
#define QZ_MODEL_KINDS_H
#include "model/sites.h"

/* Attention, of any number of key/value heads. */
enum { QZ_ATTN_Q, QZ_ATTN_K, QZ_ATTN_V, QZ_ATTN_O };
/* Gated delta net: its linears, of the two ways to store them, and its floats. */
enum { QZ_DELTA_QKVZ, QZ_DELTA_BA, QZ_DELTA_OUT };
enum { QZ_DELTA_GATED_QKV, QZ_DELTA_GATED_Z, QZ_DELTA_GATED_BA, QZ_DELTA_GATED_OUT };
enum { QZ_DELTA_QKV, QZ_DELTA_Z, QZ_DELTA_B, QZ_DELTA_A_IN, QZ_DELTA_SPLIT_OUT };
enum { QZ_DELTA_CONV, QZ_DELTA_DT, QZ_DELTA_A, QZ_DELTA_NORM };
/* Attention whose values are its keys, or whose keys are an earlier layer's. */
enum { QZ_KEYS_Q, QZ_KEYS_K, QZ_KEYS_O };
enum { QZ_BORROWED_Q, QZ_BORROWED_O };
/* Latent attention; queries at once: QZ_LATENT_DIRECT_…. Float parts alike. */
enum { QZ_LATENT_Q_A, QZ_LATENT_KV_A, QZ_LATENT_Q_B, QZ_LATENT_KV_B, QZ_LATENT_O };
enum { QZ_LATENT_DIRECT_Q, QZ_LATENT_DIRECT_KV_A, QZ_LATENT_DIRECT_KV_B, QZ_LATENT_DIRECT_O };
enum { QZ_LATENT_Q_NORM, QZ_LATENT_KV_NORM };
/* Gated MLP, dense or each of the experts. */
enum { QZ_MLP_GATE = QZ_MIXER_LINEARS, QZ_MLP_UP, QZ_MLP_DOWN };
/* Two matrices. */
enum { QZ_PLAIN_FC1 = QZ_MIXER_LINEARS, QZ_PLAIN_FC2 };
/* What all tokens go through beside the experts. */
enum { QZ_SHARED_GATE = QZ_MLP_DOWN + 1, QZ_SHARED_UP, QZ_SHARED_DOWN };
/* The input of each token behind the gated MLP; the MLP beside experts has the numbers of a shared expert. */
enum { QZ_TOKEN_GATE = QZ_MLP_DOWN + 1, QZ_TOKEN_PROJ };
/* Float parts of a feed-forward on the stream: of all, with inputs of tokens, with experts. */
enum {
    QZ_LAYER_SCALE = QZ_SUB_PARTS, QZ_TOKEN_NORM, QZ_STREAM_ROUTER_SCALE = QZ_TOKEN_NORM, QZ_STREAM_EXPERT_SCALE,
    QZ_STREAM_MLP_NORM, QZ_STREAM_EXPERTS_IN, QZ_STREAM_EXPERTS_NORM
};
/* Float parts. */
enum { QZ_ATTN_SINKS };
enum { QZ_ROUTER_CORRECTION = QZ_SUB_PARTS, QZ_SHARED_GATE_ROW };

/* What of a configuration says whether there is a bias; how wide something is: qz_wide of sites.h. */
typedef enum { QZ_BIAS_NONE, QZ_BIAS_QKV, QZ_BIAS_O, QZ_BIAS_MLP, QZ_BIAS_EXPERTS } qz_bias;

typedef struct {
    const char *name, *gguf;         /* inside the block: "self_attn.q_proj", "attn_q" */
    const char *stored;              /* in checkpoints, %zu for the expert; NULL: under that name */
    qz_wide rows;
    size_t input;                    /* which of the kind's inputs; linears of one stand side
                                      * by side, alone ones come last */
    bool alone;                      /* beside the experts, once for all */
    qz_bias bias;
    qz_shard shard;
    qz_use use;                      /* 0: QZ_USE_OTHER */
    bool inside;                     /* what it gives is held in no buffer: the kind's file makes it piece by piece */
    bool rotary;                     /* the rows are heads of query or key, which positions rotate */
    const char *gguf_rest; qz_wide rest; /* GGUF stores the last so many rows of all groups, the gates, as another
                                      * matrix; NULL: it does not */
    bool few;                        /* a row or two for each head: some formats cannot hold them */
    qz_wide value_rows;              /* the last so many are value heads; 0: none is */
    qz_wide head;                    /* of its norm, and of what rotates; 0: head_dim */
    qz_norm norm; const char *norm_hf, *norm_gguf; /* of each head, where the family has them; NULL: none */
} qz_linear_row;

typedef struct {
    qz_wide cols;
    qz_fold_kind fold;
    size_t from;                     /* QZ_FOLD_ROWS: which of the kind's linears makes the columns, */
    bool heads;                      /* in heads that several query heads may share */
    bool residual;                   /* what its linears give is added to the residual stream */
    bool value_heads;                /* made of value heads */
    bool inside;                     /* made inside the sub-module although it is its first */
    bool in_place;                   /* made where an earlier linear left its rows: no buffer of its own */
    qz_fused fused;
} qz_input_row;

/* A float tensor that only the kind's own file reads; names with their suffix. */
/* when: a QZ_PART_…; 0: always */
/* value_rows: the last so many rows, of a vector columns, are of value heads; rates: GGUF stores -exp(x); taps: stored
 * as [rows, 1, cols]; module: a linear in checkpoints */
typedef struct {
    const char *hf, *gguf; qz_wide rows, cols; unsigned when;
    qz_wide value_rows; bool rates, taps, module;
} qz_part_row;

typedef struct {
    const qz_linear_row *linears; size_t n_linears;
    const qz_input_row *inputs; size_t n_inputs;
    const qz_part_row *parts; size_t n_parts;
    bool experts;                    /* all of it but what is `alone` once for each expert, behind
                                      * a router that reads what they read */
    bool state;                      /* keeps a state of fixed size instead of keys and values */
    bool again;                      /* its linears are called as those of a kind before it */
} qz_kind;

const qz_kind *qz_kind_get(qz_kind_id k);
qz_sub qz_kind_sub(qz_kind_id k);
const char *qz_kind_word(qz_kind_id k); /* in statistics files */
bool qz_kind_runs(qz_kind_id k);        /* false: only planned */
#endif
