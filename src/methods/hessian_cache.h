/* Matrices of the inputs of one block's linears, by stage, made when first asked for: the tensors of a block follow
 * each other, and linears that share an input share its matrix.
 * qz_hessian_cache c; qz_hessian_cache_open(&c, &job, err); qz_hessian_cache_get(&c, &t, group, &h, err);
 * …_release(&c). */
#ifndef QZ_METHODS_HESSIAN_CACHE_H
#define QZ_METHODS_HESSIAN_CACHE_H
#include "kernels/matmul.h"
#include "methods/hessian.h"
#include "methods/method.h"

/* Columns that the order keeps together, and of these the ones that stay in their own (hessian.h). */
typedef struct { size_t group, point; } qz_hessian_order;

typedef struct {
    const qz_method_job *job;
    qz_mm *mm;
    long layer;                  /* whose they are, -1: none yet */
    qz_hessian_order order[QZ_STAGES];
    size_t input[QZ_STAGES];     /* of experts the last one's */
    qz_hessian h[QZ_STAGES];
    double least, most;          /* of the n_damped inputs whose damping was decided */
    size_t n_damped;
} qz_hessian_cache;

qz_status qz_hessian_cache_open(qz_hessian_cache *c, const qz_method_job *job, qz_error *err);
/* Statistics of what a linear reads, and the number of that input. */
qz_input_stats qz_method_input(const qz_stats *stats, const qz_method_tensor *t, size_t *input);
/* The matrix that linear t is coded under. QZ_ENUMERIC: it cannot be factored. */
qz_status qz_hessian_cache_get(qz_hessian_cache *c, const qz_method_tensor *t, qz_hessian_order order,
                               const qz_hessian **out, qz_error *err);
void qz_hessian_cache_release(qz_hessian_cache *c);
#endif
