/* GGUF blocks under the Gram matrix: the output error, computed directly from tokens, falls below the reference's bytes
 * on every row and type; the reported error is the direct one; one and two threads give the same bytes. The reference's
 * bytes are those of codecs/types_test.c (ggml's own). Also the group-aware order across blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "codecs/types.h"
#include "methods/block_feedback.h"
#include "methods/block_search.h"

enum { N = 6, K = 512, T = 900 };
static qz_error err;
typedef struct { float w[N * K], x[T * K], mean_sq[K]; double gram[K * K]; } problem;

static problem *make(void) {
    problem *p = qz_calloc_array(1, sizeof *p);
    qz_rng r;
    qz_rng_seed(&r, 11);
    for (size_t i = 0; i < N * K; i++) p->w[i] = 0.05f * qz_rng_normal(&r);
    for (size_t t = 0; t < T; t++) {
        float a = qz_rng_normal(&r), b = qz_rng_normal(&r);
        for (size_t k = 0; k < K; k++)
            p->x[t * K + k] = (k % 61 == 0 ? 5.0f : 0.6f) * qz_rng_normal(&r) + (k % 3 == 0 ? a : b);
    }
    for (size_t t = 0; t < T; t++)
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < K; b++) p->gram[a * K + b] += (double)p->x[t * K + a] * (double)p->x[t * K + b] / T;
    for (size_t k = 0; k < K; k++) p->mean_sq[k] = (float)p->gram[k * K + k];
    return p;
}
static double row_error(const problem *p, qz_type type, const uint8_t *row, size_t r) {
    float y[K];
    double sum = 0;
    qz_type_get(type)->decode(row, K, y);
    for (size_t t = 0; t < T; t++) {
        double d = 0;
        for (size_t k = 0; k < K; k++) d += ((double)p->w[r * K + k] - (double)y[k]) * (double)p->x[t * K + k];
        sum += d * d / T;
    }
    return sum;
}

static void check_type(const problem *p, qz_type type) {
    qz_quantized q[2], ref = {0};
    qz_arena a = {0};
    size_t bytes;
    qz_hessian h;
    for (size_t t = 0; t < 2; t++) {
        qz_run run;
        qz_mm *mm;
        assert_int_equal(qz_run_init(&run, t + 1, &err), QZ_OK);
        assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
        assert_int_equal(qz_hessian_init(&h, &run, p->gram,
                                         &(qz_hessian_how){K, qz_block_feedback_group(type), 0.01, QZ_ORDER_GROUPS,
                                                          qz_block_feedback_point(type)},
                                         &err),
                         QZ_OK);
        assert_int_equal(qz_block_feedback(&(qz_block_job){&run, type, p->w, N, h.cols, p->mean_sq, QZ_SEARCH_BEST}, mm,
                                           &h, &a, &q[t], &err),
                         QZ_OK);
        if (t == 1)
            assert_int_equal(qz_block_quantize(&(qz_block_job){&run, type, p->w, N, K, p->mean_sq, QZ_SEARCH_COMPAT},
                                               &a, &ref, &err),
                             QZ_OK);
        qz_hessian_release(&h);
        qz_mm_free(mm);
        qz_run_release(&run);
    }
    assert_int_equal(qz_row_bytes(type, K, &bytes, &err), QZ_OK);
    assert_memory_equal(q[0].blocks, q[1].blocks, N * bytes);
    double ours = 0, theirs = 0;
    for (size_t r = 0; r < N; r++) {
        double e = row_error(p, type, q[0].blocks + r * bytes, r), b = row_error(p, type, ref.blocks + r * bytes, r);
        if (!(e <= b * 1.001))
            fail_msg("%s row %zu: %g, the reference's bytes give %g", qz_type_get(type)->name, r, e, b);
        ours += e;
        theirs += b;
    }
    print_message("%-5s output error %.4f of the reference's\n", qz_type_get(type)->name, ours / theirs);
    if (!(ours < (type == QZ_TYPE_Q8_0 ? 0.9 : 0.75) * theirs))
        fail_msg("%s: %g, the reference's bytes give %g", qz_type_get(type)->name, ours, theirs);
    double mean = 0;
    for (size_t k = 0; k < K; k++) mean += p->gram[k * K + k] / K;
    double damped = ours + 0.01 * mean * q[0].weight_mse * N * K;
    if (!(fabs(q[0].error / damped - 1) < 2e-3))
        fail_msg("%s: reported %g, directly %g", qz_type_get(type)->name, q[0].error, damped);
    qz_arena_release(&a);
}
static void every_type(void **state) {
    (void)state;
    static const qz_type types[] = {QZ_TYPE_Q4_0, QZ_TYPE_Q4_1, QZ_TYPE_Q5_0, QZ_TYPE_Q5_1, QZ_TYPE_Q8_0, QZ_TYPE_Q2_K,
                                    QZ_TYPE_Q3_K, QZ_TYPE_Q4_K, QZ_TYPE_Q5_K, QZ_TYPE_Q6_K,
                                    QZ_TYPE_IQ2_XXS, QZ_TYPE_IQ2_XS, QZ_TYPE_IQ2_S, QZ_TYPE_IQ3_XXS, QZ_TYPE_IQ3_S,
                                    QZ_TYPE_IQ1_S, QZ_TYPE_IQ1_M, QZ_TYPE_IQ4_NL, QZ_TYPE_IQ4_XS, QZ_TYPE_MXFP4,
                                    QZ_TYPE_NVFP4, QZ_TYPE_TQ1_0, QZ_TYPE_TQ2_0, QZ_TYPE_Q2_0, QZ_TYPE_Q1_0};
    problem *p = make();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) check_type(p, types[i]);
    qz_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
