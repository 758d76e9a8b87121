/* The sites of a decoder block: every stored tensor of a layer, in the order of writing, from the configuration alone.
 * Binding, shape checks, tensor lists and parameter counts expand from this list; nobody else names a tensor of a
 * block.
 *   qz_site s[QZ_MAX_SITES]; size_t n = qz_sites(config, layer, s);
 *   char name[160]; qz_site_name(&s[i], layer, expert, "weight", name, sizeof name);
 * A linear has a number in its block, whether it is stored alone, in a fused matrix or once for each expert:
 *   for l < QZ_LINEARS: if (qz_site_of(config, layer, l, &site)) …
 * And the inputs: what the linears of a block multiply. Linears that share one share its statistics, a folded scale,
 * and the matrix that engines make of them.
 *   qz_input_widths w; qz_input_widths_of(config, &w); for i < qz_inputs(&w, layer): qz_input_at(&w, layer, i);
 * The rows behind all this are in model/kinds.c. Source: formats/families.md section 7. */
#ifndef QZ_MODEL_SITES_H
#define QZ_MODEL_SITES_H
#include "model/config.h"

/* Room for the linears of a block (those of its mixer, then those of its feed-forward; of experts the same for each),
 * and for the stages: places in the block where linears read something, in the order in which a token comes by. */
enum {
    QZ_MIXER_LINEARS = 6, QZ_FFN_LINEARS = 6, QZ_LINEARS = QZ_MIXER_LINEARS + QZ_FFN_LINEARS,
    QZ_SUB_INPUTS = 4, QZ_STAGES = 2 * QZ_SUB_INPUTS, /* of a half; of both */
    QZ_SUB_PARTS = 8, QZ_PARTS = 2 * QZ_SUB_PARTS      /* float parts of a half, of both */
};
typedef enum {
    QZ_NORM_ATTN,
    QZ_NORM_ATTN_OUT,
    QZ_NORM_FFN,
    QZ_NORM_FFN_OUT,
    QZ_NORM_Q,
    QZ_NORM_K,
    QZ_NORM_COUNT
} qz_norm;
typedef enum {
#define QZ_WIDTH(id, key, value) QZ_WIDE_##id,
#include "model/widths.def"
#undef QZ_WIDTH
    QZ_WIDES
} qz_wide;
/* Of a configuration; its key in statistics files, NULL: no input is so wide. */
uint64_t qz_wide_of(const qz_config *c, qz_wide w);
const char *qz_wide_key(qz_wide w);
/* What half of layer l is. */
qz_kind_id qz_kind_of(const qz_config *c, size_t l, qz_sub sub);

typedef enum {
    QZ_SITE_LINEAR,        /* part: its number */
    QZ_SITE_FUSED,         /* `parts` linears from `part` on, one below the other */
    QZ_SITE_EXPERT,        /* part: number of the linear, of each of `experts` */
    QZ_SITE_ROUTER,        /* scores of the experts; no method may quantize it */
    QZ_SITE_NORM,          /* part: qz_norm; [1, cols] */
    QZ_SITE_PART           /* part: its number among QZ_PARTS; floats of a kind that only its own file reads;
                            * names with their suffix */
} qz_site_kind;

/* How tensor-parallel engines split a matrix over GPUs, in their words: COLUMN its outputs, which are rows here; ROW
 * its inputs. */
typedef enum { QZ_SHARD_NONE, QZ_SHARD_COLUMN, QZ_SHARD_ROW } qz_shard;

/* The one matrix that families or engines make of all linears of an input; set NULL: they stay apart. */
typedef struct {
    const char *set;       /* "qkv" */
    const char *hf, *gguf; /* where checkpoints store it: "self_attn.qkv_proj"; NULL: nowhere */
    qz_use use;
} qz_fused;

typedef struct {
    qz_site_kind kind;
    int part, parts;       /* parts: of a fused site, else 1 */
    const char *name;      /* of a linear in texts, whatever the file calls it: "self_attn.q_proj" */
    const char *hf, *gguf; /* inside the block: "self_attn.q_proj", "attn_q"; %zu in hf stands for the expert */
    const char *root;      /* before "layers." in checkpoints; NULL: "model." */
    uint64_t rows, cols;   /* of one matrix */
    size_t experts;        /* matrices of this name, stacked in GGUF; 0: one */
    bool bias;             /* [1, qz_site_bias] beside each matrix */
    size_t stage;          /* of its input (of a norm: of what is behind it) */
    qz_shard shard;
    const qz_fused *fused; /* that it may become a part of; NULL: of none */
    qz_use use;            /* of its bias: QZ_USE_KEPT */
    /* Of a delta net, whose value heads files have in one of two orders: the last so many rows (of a vector: columns)
     * are their values, or all columns are; 0: not of them */
    uint64_t value_rows, value_cols;
    const char *gguf_rest; /* GGUF stores rest_rows of its rows under this name: of each group the last */
    uint64_t rest_rows;
    bool module;           /* a part that checkpoints have as a linear module */
    bool few;              /* a linear of a row or two for each head */
    bool rates, taps;      /* GGUF stores -exp(x) of it; checkpoints store [rows, 1, cols] */
    int gguf_half;         /* GGUF keeps it as the first (1) or second (2) half of each matrix of a stack; 0: alone */
    bool inside;           /* its kind multiplies with it piece by piece: no packed form */
    uint64_t rotary_heads; /* the rows are so many heads of query or key that positions rotate; 0: other values */
} qz_site;

enum { QZ_MAX_SITES = 32, QZ_SITE_NAME = 160 };
size_t qz_sites(const qz_config *c, size_t layer, qz_site out[QZ_MAX_SITES]);
/* "model.layers.3.mlp.experts.5.up_proj.weight" (the suffix is not of a part's name); false if it does not fit. */
bool qz_site_name(const qz_site *s, size_t layer, size_t expert, const char *suffix, char *buf, size_t size);
/* The embedding, the table of positions, the last norm: "model.embed_tokens.weight" in a checkpoint of c. */
typedef enum { QZ_OUTER_EMBED, QZ_OUTER_POSITIONS, QZ_OUTER_NORM } qz_outer;
/* What makes the vectors that each token has for each layer (c->token): its table, the matrix that the embedding goes
 * through besides, and the norm behind that. False: the model has none. */
enum { QZ_TOKEN_EMBED, QZ_TOKEN_MATRIX, QZ_TOKEN_GAINS, QZ_TOKEN_SITES };
typedef struct { const char *hf, *gguf; uint64_t rows, cols; qz_use use; } qz_token_site; /* names without suffix */
bool qz_token_site_of(const qz_config *c, int i, qz_token_site *out);
const char *qz_outer_name(const qz_config *c, qz_outer which, const char *suffix, char buf[QZ_SITE_NAME]);
/* Linear l of a layer as if it were stored alone; false: the layer has none of that number. */
bool qz_site_of(const qz_config *c, size_t layer, size_t linear, qz_site *out);
/* Is it a matrix that methods quantize? */
static inline bool qz_site_linear(const qz_site *s) {
    return s->kind == QZ_SITE_LINEAR || s->kind == QZ_SITE_FUSED || s->kind == QZ_SITE_EXPERT;
}
/* The i-th of all linears, fused matrices and norms of heads that a block of any kind and family can have, without
 * sizes: for names in files of models that this configuration is not. False behind the last. */
bool qz_site_known(size_t i, qz_site *out);
/* Values of its bias. */
static inline uint64_t qz_site_bias(const qz_site *s) { return s->kind == QZ_SITE_NORM ? s->cols : s->rows; }
/* Sets the flags of biases: what a file has beside the first linear of those that a flag is for. has(file, "attn_q").
 * */
void qz_sites_biases(qz_config *c, bool (*has)(const void *file, const char *gguf), const void *file);
/* The last word of a name: "q_proj" of "self_attn.q_proj". */
const char *qz_last_word(const char *name);

/* ---- inputs ---- */
/* What can take 1/s of an input whose linears' columns are multiplied by s. */
typedef enum {
    QZ_FOLD_NONE,
    QZ_FOLD_NORM,          /* the norm that makes it */
    QZ_FOLD_SHARED,        /* a norm would, but others read it too */
    QZ_FOLD_ROWS           /* the rows of an earlier linear of the same block or expert */
} qz_fold_kind;
typedef struct {
    qz_fold_kind kind;
    qz_norm norm;
    size_t linear;         /* QZ_FOLD_ROWS: whose rows */
    /* each `width` rows (a head) make the columns of `share` heads; width 0: row k makes column k */
    size_t width, share;
} qz_fold;

/* Inputs of a block, in the order of calibration. Dense: one for each stage, of all tokens. With experts: those of
 * the mixer, then what the router and all experts see, then of each expert its own, of its own tokens. */
typedef struct {
    uint64_t layers, experts;                                /* experts 0: dense */
    uint64_t wide[QZ_WIDES];                                 /* of those that have a key */
    uint8_t kind[QZ_SUBS][QZ_MAX_LAYERS];                    /* qz_kind_id of each layer's halves */
} qz_input_widths;
typedef struct {
    size_t stage;
    long expert;           /* -1: of all tokens */
    size_t cols;
    size_t first, n;       /* linears that read it; n 0: a router alone, or the output matrix */
    qz_sub sub;
    bool first_of_sub;     /* a token meets none of its sub-module before */
    bool inside;           /* made inside the sub-module; else it is what the norm before it gives */
    bool residual;         /* what its linears give is added to the residual stream */
    qz_fold_kind fold;
    const qz_fused *fused; /* NULL: its linears stay apart */
} qz_input;
void qz_input_widths_of(const qz_config *c, qz_input_widths *out);
/* Does the layer have experts? */
bool qz_inputs_sparse(const qz_input_widths *w, size_t layer);
/* The widest of all. */
size_t qz_widest_input(const qz_input_widths *w);
/* Their number; layer == layers: 1 (the output matrix). */
size_t qz_inputs(const qz_input_widths *w, size_t layer);
qz_input qz_input_at(const qz_input_widths *w, size_t layer, size_t i);
/* Number of the input that a linear reads, expert -1: outside a stack of experts. */
size_t qz_input_of(const qz_input_widths *w, size_t layer, size_t linear, long expert);
/* The same for a site (of a norm: for what is behind it); expert < max(1, experts). */
size_t qz_site_input(const qz_input_widths *w, size_t layer, const qz_site *s, size_t expert);
size_t qz_stages(const qz_input_widths *w, size_t layer);
/* What the linears of a stage read; of experts the first one's. Behind the last stage: nothing, n 0. */
qz_input qz_stage_input(const qz_input_widths *w, size_t layer, size_t stage);
qz_fold qz_fold_of(const qz_config *c, size_t layer, const qz_input *in);
/* The column whose scale goes into a row (of the columns that share it: the first). */
static inline size_t qz_fold_column(const qz_fold *f, size_t row) {
    return f->width ? row / f->width * f->share * f->width + row % f->width : row;
}
/* Floats of a token between a sub-module's input and output: what each linear and each input made inside needs, the
 * most of any layer. By number of the linear (residual ones write to the stream's own buffer: 0), and by QZ_SUB_MIXER
 * or QZ_SUB_FFN and the input's number in its kind (0: made in place). */
typedef struct { uint64_t linear[QZ_LINEARS], input[QZ_SUBS][QZ_SUB_INPUTS]; } qz_step_widths;
void qz_step_widths_of(const qz_config *c, qz_step_widths *out);
/* All of them, and the stream's three: the residual, what a norm gives, what a sub-module gives. */
uint64_t qz_step_floats(const qz_config *c);
/* "self_attn.q_proj", "expert 3 gate" …: the first linear that takes it, for texts. */
const char *qz_input_text(const qz_input_widths *w, size_t layer, const qz_input *in, char buf[QZ_SITE_NAME]);
#endif
