/* Calibration statistics: one file, mapped when read. For each group of linears that share an input (q k v | o | gate up |
 * down of every layer, and the output matrix): tokens, mean |x|, max |x| and the Gram matrix E[x xᵀ].
 * Layout: "QZSTATS1", u64 length, JSON header, then the sections in order, each at a multiple of 64 bytes:
 * f32 mean_abs [cols], f32 max_abs [cols], f32 upper triangle of E[x xᵀ], row i holding columns i..cols-1.
 * qz_stats s; qz_stats_open(&s, path, err); qz_stats_get(&s, layer, group); …; qz_stats_release(&s). */
#ifndef QZ_CALIBRATE_STATS_H
#define QZ_CALIBRATE_STATS_H
#include "base/arena.h"
#include "base/io.h"
#include "base/str.h"
#include "model/model.h"

typedef enum { QZ_GROUP_QKV, QZ_GROUP_O, QZ_GROUP_GATE_UP, QZ_GROUP_DOWN, QZ_GROUP_COUNT } qz_input_group;
#define QZ_GROUP_HEAD QZ_GROUP_QKV /* of layer == config.layers: input of the output matrix */

/* What produced the statistics; stored in the header and in every artifact's manifest. */
typedef struct {
    uint64_t layers, hidden_size, o_cols, intermediate_size; /* widths of the inputs */
    uint64_t tokens, windows, seq_len, samples;
    const char *data_sha, *source_sha, *reader, *data_name, *chat_template; /* "applied" or "none" */
    bool bos;
} qz_stats_info;

typedef struct {
    size_t cols;
    uint64_t tokens;
    const float *mean_abs, *max_abs; /* [cols] */
    const float *gram;               /* packed upper triangle of E[x xᵀ], cols*(cols+1)/2 */
} qz_input_stats;

typedef struct {
    qz_stats_info info;
    qz_map map;
    uint64_t *offsets;               /* [layers*4 + 1] */
    qz_arena arena;
} qz_stats;

qz_input_group qz_group_of(qz_linear l);
qz_linear qz_group_first(qz_input_group g); /* the first linear that takes it; not for QZ_GROUP_HEAD */
size_t qz_stats_cols(const qz_stats_info *i, size_t layer, qz_input_group g);
/* Appends the header; offsets [layers*4+1] and the total size of the file. */
qz_status qz_stats_header(const qz_stats_info *info, qz_str *out, uint64_t *offsets, uint64_t *total, qz_error *err);
qz_status qz_stats_open(qz_stats *s, const char *path, qz_error *err);
void qz_stats_release(qz_stats *s);
qz_input_stats qz_stats_get(const qz_stats *s, size_t layer, qz_input_group g);
/* Full symmetric matrix [cols, cols]. */
void qz_stats_gram(const qz_input_stats *in, double *full);
/* E[x²] per column: the importance of llama.cpp's imatrix. */
void qz_stats_importance(const qz_input_stats *in, float *out);
/* QZ_EUSAGE if the statistics were not made from this model's shapes. */
qz_status qz_stats_check(const qz_stats *s, const qz_model *m, qz_error *err);
#endif
