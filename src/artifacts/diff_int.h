/* Private to the files of diff: rows of qz_diff.other, and what of a model no part of it reads. */
#ifndef QZ_ARTIFACTS_DIFF_INT_H
#define QZ_ARTIFACTS_DIFF_INT_H
#include "artifacts/diff.h"

typedef struct {
    double error, power, worst, largest;
    size_t different;
    qz_block_errors *blocks; /* takes the blocks of b where it has some; NULL: not wanted */
} qz_diff_sums;
/* One tensor of both models; scale NULL: none. Norms under a scale are compared as gains. */
qz_status qz_diff_compare(const qz_source *a, const qz_source *b, const qz_tensor_view *x, const qz_tensor_view *y,
                          const qz_diff_scale *scale, qz_diff_sums *s, qz_error *err);
/* The first `rows` rows of both, as qz_diff_compare sees them: w of a, v of b, [rows, cols] each, in b's order. */
typedef struct {
    const qz_source *a, *b;
    const qz_tensor_view *x, *y;
    const qz_diff_scale *scale; /* NULL: none */
} qz_diff_pair;
qz_status qz_diff_matrices(const qz_diff_pair *p, size_t rows, float *w, float *v, qz_error *err);
/* All of both in a's order, scales undone: w of a, v of b, [rows, cols] each. */
qz_status qz_diff_dense(const qz_diff_pair *p, float *w, float *v, qz_error *err);

/* All but the tensors: out->other, facts. *out is set anew. */
qz_status qz_diff_facts(const qz_source *a, const qz_source *b, const char *const paths[2], qz_arena *arena,
                        qz_diff *out, qz_error *err);

/* A row that differs. */
qz_status qz_diff_fact(qz_diff *d, const char *subject, const char *a, const char *b, qz_error *err);
/* Stored tensors that nothing uses: by name, type, shape and bytes. Buffers, copies and zeros count between
 * containers of one kind. */
qz_status qz_diff_leftovers(const qz_source *const side[2], const char *const paths[2], qz_diff *d, qz_error *err);
/* Every key of config.json and generation_config.json of two folders, read by anything or not. */
qz_status qz_diff_json(const char *const paths[2], qz_diff *d, qz_error *err);
#endif
