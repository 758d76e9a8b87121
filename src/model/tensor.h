/* A named tensor as a const view into a mapping (or into memory the model owns). Never owns. */
#ifndef QZ_MODEL_TENSOR_H
#define QZ_MODEL_TENSOR_H
#include "codecs/coded.h"
#include "codecs/input_rounding.h"

/* What a container stores another function of. */
typedef enum { QZ_MAP_NONE, QZ_MAP_RATE /* -exp(x) */, QZ_MAP_LOG /* ln(-x) */ } qz_value_map;

typedef struct qz_tensor_view {
    const char *name;      /* HF spelling: model.layers.0.self_attn.q_proj.weight */
    const char *file_name; /* spelling in its container (blk.0.attn_q.weight) */
    qz_type type;
    size_t rows, cols;     /* rows = out_features; a vector has rows = 1 */
    uint32_t n_dims;       /* of the container: 1 or 2 (3 for fused experts and [rows, 1, cols]) */
    const void *data;      /* block types: rows of row_bytes; NULL for QZ_TYPE_CODED */
    size_t bytes;          /* bytes of the tensor in its file, all parts together */
    const qz_coded *coded; /* QZ_TYPE_CODED only */
    size_t first_row;      /* of `coded`: the view is its rows from here on */
    const qz_input_rounding *inputs; /* of a linear, as its servers round them; NULL: they stay float */
    qz_value_map map;      /* of every value */
    /* Exchanges of columns, one after the other, that bring a decoded row into the order of the view; NULL: none. */
    const uint32_t (*swaps)[2];
    size_t n_swaps;
    const uint32_t *row_from; /* row r of the view is row row_from[r] of what is stored; NULL: r */
    float add;             /* to every value: norms that one container stores as gains and another as gains minus one */
    const char *file;      /* path, for error texts */
    uint64_t offset;       /* of the data in that file */
} qz_tensor_view;

/* Decodes rows [row, row+n) to y [n, cols] float32. */
void qz_tensor_decode(const qz_tensor_view *t, size_t row, size_t n, float *y);
/* Is what is stored what the view is? */
static inline bool qz_tensor_as_stored(const qz_tensor_view *t) {
    return t->add == 0 && t->map == QZ_MAP_NONE && t->n_swaps == 0 && t->row_from == NULL;
}
/* Anything but zeros? The first row mostly says so. */
bool qz_tensor_has_values(const qz_tensor_view *t);
/* Gives pages of the mapped file back, until the tensor is read again. */
void qz_tensor_forget(const qz_tensor_view *t);
/* F32, F16 or BF16: what the values were before, or are decoded to by the library that reads the file. */
qz_type qz_tensor_float_type(const qz_tensor_view *t);
/* "q4_k", "int4 g128 sym", "nf4", "int8 rows": for tables; in buf unless it is a type's name. */
const char *qz_tensor_type_text(const qz_tensor_view *t, char buf[32]);
/* Float types whose values can be judged by their bits alone; no NaN and no infinity among n of them. */
bool qz_floats_known(qz_type t);
bool qz_floats_finite(qz_type t, const void *values, size_t n);
#endif
