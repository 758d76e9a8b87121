/* Calibration statistics: one file, mapped when read. For each input of every layer (model/sites.h: q k v | o | gate up
 * | down, or those of the experts) and of the output matrix: tokens, mean |x|, max |x| and the Gram matrix E[x xᵀ],
 * means over the tokens that the input saw.
 * Layout: "QZSTATS1", u64 length, JSON header, then the sections in order, each at a multiple of 64 bytes:
 * f32 mean_abs [cols], f32 max_abs [cols], f32 upper triangle of E[x xᵀ], row i holding columns i..cols-1; of an expert
 * then u64 tokens (0: all the others are 0 too).
 * qz_stats s; qz_stats_open(&s, path, err); qz_stats_get(&s, layer, input); …; qz_stats_release(&s). */
#ifndef QZ_CALIBRATE_STATS_H
#define QZ_CALIBRATE_STATS_H
#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "model/model.h"

/* What produced the statistics; stored in the header and in every artifact's manifest. */
#define QZ_STATS_MAGIC "QZSTATS1" /* the first bytes of the file */
enum { QZ_HELD_MOST = 1024 };

typedef struct {
    qz_input_widths in;
    uint64_t tokens, windows, seq_len, samples;
    const char *data_sha, *source_sha, *reader, *data_name, *chat_template; /* "applied" or "none" */
    bool bos;
    bool route_all;       /* every expert's statistics are of all tokens, not of those that its router sends */
    bool no_bos, raw;     /* windows do not begin with BOS though the model has one;
                           * samples without the chat template */
    uint64_t lengths;     /* a qz_length_policy (text/dataset.h) */
    uint64_t held;        /* tokens of each input that are kept themselves, for decisions on
                           * tokens that codes have not seen; 0: none */
    const char *accepted; /* findings about the data that --accept let pass (text/accepted.h); NULL or "": none */
} qz_stats_info;

typedef struct {
    size_t cols;
    uint64_t tokens;
    const float *mean_abs, *max_abs; /* [cols] */
    const float *gram;               /* packed upper triangle of E[x xᵀ], cols*(cols+1)/2 */
    const uint16_t *held; size_t n_held; /* [n_held, cols] bfloat16, among the tokens of gram; experts have none */
} qz_input_stats;

typedef struct {
    qz_stats_info info;
    qz_map map;
    uint64_t *offsets;               /* [qz_stats_sections] */
    size_t *first;                   /* [layers + 2] first section of a layer */
    qz_arena arena;
} qz_stats;

/* Inputs of all layers and the output matrix. */
size_t qz_stats_sections(const qz_input_widths *w);
/* Appends the header; offsets [sections] and the total size of the file. */
qz_status qz_stats_header(const qz_stats_info *info, qz_str *out, uint64_t *offsets, uint64_t *total, qz_error *err);
qz_status qz_stats_open(qz_stats *s, const char *path, qz_error *err);
void qz_stats_release(qz_stats *s);
qz_input_stats qz_stats_get(const qz_stats *s, size_t layer, size_t input);
/* Of the output matrix. */
qz_input_stats qz_stats_head(const qz_stats *s);
/* Full symmetric matrix [cols, cols]. */
void qz_stats_gram(const qz_input_stats *in, double *full);
/* The kept tokens as floats [n_held, cols], columns divided by scales (NULL: as they are); qz_free. NULL:
 * out of memory. */
float *qz_stats_held(const qz_input_stats *in, const float *scales);
/* E[x²] per column: the importance of llama.cpp's imatrix. */
void qz_stats_importance(const qz_input_stats *in, float *out);
/* QZ_EUSAGE if the statistics were not made from this model's shapes. */
qz_status qz_stats_check(const qz_stats *s, const qz_model *m, qz_error *err);
#endif
