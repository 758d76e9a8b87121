/* The sites of a decoder block: every stored tensor of a layer, in the order of writing, from the configuration alone. Binding, shape
 * checks, tensor lists and parameter counts expand from this list; nobody else names a tensor of a block.
 *   qz_site s[QZ_MAX_SITES]; size_t n = qz_sites(config, layer, s);
 *   char name[160]; qz_site_name(&s[i], layer, expert, "weight", name, sizeof name);
 * And the inputs: what the sites of a block multiply. Sites that share one share its statistics.
 *   qz_input_widths w; qz_input_widths_of(config, &w); for i < qz_inputs(&w, layer): qz_input_at(&w, layer, i);
 * Source: formats/families.md section 7. */
#ifndef QZ_MODEL_SITES_H
#define QZ_MODEL_SITES_H
#include "model/config.h"

/* The linears of a dense block in the order of calibration and of the writers. */
typedef enum { QZ_LIN_Q, QZ_LIN_K, QZ_LIN_V, QZ_LIN_O, QZ_LIN_GATE, QZ_LIN_UP, QZ_LIN_DOWN, QZ_LIN_COUNT } qz_linear;
typedef enum { QZ_NORM_ATTN, QZ_NORM_ATTN_OUT, QZ_NORM_FFN, QZ_NORM_FFN_OUT, QZ_NORM_Q, QZ_NORM_K, QZ_NORM_COUNT } qz_norm;

typedef enum {
    QZ_SITE_LINEAR,        /* part: qz_linear */
    QZ_SITE_FUSED,         /* `parts` linears from `part` on, one below the other */
    QZ_SITE_EXPERT,        /* part: QZ_LIN_GATE, QZ_LIN_UP or QZ_LIN_DOWN of each of `experts` */
    QZ_SITE_ROUTER,        /* scores of the experts; no method may quantize it */
    QZ_SITE_NORM           /* part: qz_norm; [1, cols] */
} qz_site_kind;

typedef struct {
    qz_site_kind kind;
    int part, parts;       /* parts: of a fused site, else 1 */
    const char *hf, *gguf; /* inside the block: "self_attn.q_proj", "attn_q"; %zu in hf stands for the expert */
    uint64_t rows, cols;   /* of one matrix */
    size_t experts;        /* matrices of this name, stacked in GGUF; 0: one */
    bool bias;             /* [1, rows] beside it */
} qz_site;

enum { QZ_MAX_SITES = 24, QZ_SITE_NAME = 160 };
size_t qz_sites(const qz_config *c, size_t layer, qz_site out[QZ_MAX_SITES]);
/* "model.layers.3.mlp.experts.5.up_proj.weight"; false if it does not fit. */
bool qz_site_name(const qz_site *s, size_t layer, size_t expert, const char *suffix, char *buf, size_t size);
/* Rows of linear l in a dense block (of one part of a fused site), and its columns. */
uint64_t qz_linear_rows(const qz_config *c, qz_linear l);
uint64_t qz_linear_cols(const qz_config *c, qz_linear l);
/* Names of a linear inside its block: "self_attn.q_proj" … */
const char *qz_linear_name(qz_linear l);

/* Inputs of a block in the order of calibration. Dense: the first four, each of all tokens. With experts: QKV, O, GATE_UP (what the
 * router and all experts see), then of each expert GATE_UP and DOWN, of its own tokens. */
typedef enum { QZ_GROUP_QKV, QZ_GROUP_O, QZ_GROUP_GATE_UP, QZ_GROUP_DOWN, QZ_GROUP_COUNT } qz_input_group;
#define QZ_GROUP_HEAD QZ_GROUP_QKV /* of layer == layers: input of the output matrix */
typedef struct {
    uint64_t layers, hidden_size, o_cols, intermediate_size; /* widths of the inputs */
    uint64_t experts, expert_width;                          /* 0: dense */
    uint8_t layer_dense[QZ_MAX_LAYERS];                      /* 1: of a model with experts, has none */
} qz_input_widths;
typedef struct {
    qz_input_group group;
    long expert;           /* -1: of all tokens */
    size_t cols;
} qz_input;
void qz_input_widths_of(const qz_config *c, qz_input_widths *out);
/* Their number; layer == layers: 1 (the output matrix). */
size_t qz_inputs(const qz_input_widths *w, size_t layer);
qz_input qz_input_at(const qz_input_widths *w, size_t layer, size_t i);
/* Index of what linear l reads, expert -1: outside a stack of experts. */
size_t qz_input_of(qz_linear l, long expert);
/* Index of what a site reads (of a norm: what is behind it); expert < max(1, experts). */
size_t qz_site_input(const qz_site *s, size_t expert);
/* "self_attn.q_proj", "expert 3 gate" …: the first linear that takes it, for texts. */
const char *qz_input_text(const qz_input *in, char buf[QZ_SITE_NAME]);
qz_input_group qz_group_of(qz_linear l);
qz_linear qz_group_first(qz_input_group g); /* the first linear that takes it; not for QZ_GROUP_HEAD */
#endif
