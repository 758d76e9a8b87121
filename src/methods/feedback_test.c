/* Codes under the Gram matrix: the factorization against its definition, feedback below rounding, descent below
 * feedback, the reported error against a direct computation, the same bytes on any thread count,
 * degenerate statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "codecs/int_group.h"
#include "base/rng.h"
#include "base/size.h"
#include "methods/cholesky.h"
#include "methods/feedback.h"
#include "methods/int_grid.h"

enum { N = 24, K = 128, T = 300, G = 32 };
static qz_error err;
static const qz_hessian_how how = {K, G, 0.01, QZ_ORDER_GROUPS, 0};
typedef struct { float w[N * K], x[T * K]; double gram[K * K]; } problem;

static problem *make(void) {
    problem *p = qz_calloc_array(1, sizeof *p);
    qz_rng r;
    qz_rng_seed(&r, 5);
    for (size_t i = 0; i < N * K; i++) p->w[i] = 0.05f * qz_rng_normal(&r);
    for (size_t t = 0; t < T; t++) {
        float shared = qz_rng_normal(&r);
        for (size_t k = 0; k < K; k++) p->x[t * K + k] = (k % 7 == 0 ? 4.0f : 0.5f) * qz_rng_normal(&r) + 0.8f * shared;
    }
    for (size_t t = 0; t < T; t++)
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < K; b++) p->gram[a * K + b] += (double)p->x[t * K + a] * (double)p->x[t * K + b] / T;
    return p;
}
/* Direct output error: mean over tokens of ‖(w−ŵ)x‖². */
static double output_error(const problem *p, const qz_quantized *made) {
    const qz_int_codes *q = qz_int_codes_of(made->coded);
    double sum = 0;
    for (size_t r = 0; r < N; r++)
        for (size_t t = 0; t < T; t++) {
            double y = 0;
            for (size_t k = 0; k < K; k++) {
                size_t g = r * (K / q->group_size) + k / q->group_size;
                double v = ((double)q->codes[r * K + k] - (double)q->zero_points[g]) * (double)q->scales[g];
                y += ((double)p->w[r * K + k] - v) * (double)p->x[t * K + k];
            }
            sum += y * y / T;
        }
    return sum;
}
/* The same of the weights: what an error is a share of. */
static double output_energy(const problem *p) {
    double sum = 0;
    for (size_t r = 0; r < N; r++)
        for (size_t t = 0; t < T; t++) {
            double y = 0;
            for (size_t k = 0; k < K; k++) y += (double)p->w[r * K + k] * (double)p->x[t * K + k];
            sum += y * y / T;
        }
    return sum;
}
static double rounding_error(const problem *p) {
    uint8_t codes[K], zeros[K / G];
    float scales[K / G];
    double sum = 0;
    for (size_t r = 0; r < N; r++) {
        qz_int_group_rtn_row(p->w + r * K, K, G, 4, false, (qz_int_row){codes, scales, zeros});
        for (size_t t = 0; t < T; t++) {
            double y = 0;
            for (size_t k = 0; k < K; k++)
                y += ((double)p->w[r * K + k] - ((double)codes[k] - (double)zeros[k / G]) * (double)scales[k / G]) *
                     (double)p->x[t * K + k];
            sum += y * y / T;
        }
    }
    return sum;
}

/* 4 bits, asymmetric. */
static qz_feedback_options with_groups(uint32_t group) {
    static qz_int_grid grid;
    qz_feedback_options o = qz_feedback_default;
    grid = qz_int_grid_of(&(qz_code_setting){.bits = 4, .group_size = group}, K);
    o.grid = &grid.base;
    return o;
}

static void factor_of_the_matrix(void **state) {
    (void)state;
    problem *p = make();
    qz_run run;
    assert_int_equal(qz_run_init(&run, 2, &err), QZ_OK);
    double *l = qz_alloc_array(K * K, sizeof *l);
    memcpy(l, p->gram, sizeof p->gram);
    for (size_t k = 0; k < K; k++) l[k * K + k] += 0.1;
    assert_int_equal(qz_cholesky(&run, l, K, &err), QZ_OK);
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j <= i; j++) {
            double s = 0;
            for (size_t k = 0; k <= j; k++) s += l[i * K + k] * l[j * K + k];
            assert_true(fabs(s - p->gram[i * K + j] - (i == j ? 0.1 : 0)) < 1e-10);
        }
    l[0] = -1;
    assert_int_equal(qz_cholesky(&run, l, K, &err), QZ_ENUMERIC);
    err = (qz_error){0};
    qz_free(l);
    qz_free(p);
    qz_run_release(&run);
}
static void each_step_helps(void **state) {
    (void)state;
    problem *p = make();
    double last = rounding_error(p), first = last;
    for (int step = 0; step < 2; step++) {
        qz_quantized q[2];
        qz_arena a = {0};
        for (size_t t = 0; t < 2; t++) { /* one and two threads: equal bytes */
            qz_run run;
            qz_mm *mm;
            qz_hessian h;
            assert_int_equal(qz_run_init(&run, t + 1, &err), QZ_OK);
            assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
            assert_int_equal(qz_hessian_init(&h, &run, p->gram, &how, &err),
                             QZ_OK);
            qz_feedback_options o = with_groups(G);
            o.rounds = step ? 3 : 0;
            o.sweeps = step ? 4 : 0;
            assert_int_equal(qz_feedback_quantize(&(qz_feedback_job){&run, mm, &h, &o, &a}, p->w, N, &q[t], &err),
                             QZ_OK);
            qz_hessian_release(&h);
            qz_mm_free(mm);
            qz_run_release(&run);
        }
        assert_memory_equal(qz_int_codes_of(q[0].coded)->codes, qz_int_codes_of(q[1].coded)->codes, N * K);
        assert_memory_equal(qz_int_codes_of(q[0].coded)->scales, qz_int_codes_of(q[1].coded)->scales,
                            N * (K / G) * sizeof(float));
        assert_memory_equal(qz_int_codes_of(q[0].coded)->zero_points, qz_int_codes_of(q[1].coded)->zero_points,
                            N * (K / G));
        double e = output_error(p, &q[0]);
        if (!(e < last)) fail_msg("step %d: %g is not below %g", step, e, last);
        if (step) assert_true(fabs(q[0].error - e) < 0.1 * e); /* the reported error holds the damping of 1 % on top */
        const double all = output_energy(p);
        assert_true(q[0].energy > all && q[0].energy < 1.02 * all && q[0].energy == q[1].energy);
        last = e;
        qz_arena_release(&a);
    }
    assert_true(last < 0.5 * first);
    qz_free(p);
}
static void degenerate_statistics(void **state) {
    (void)state;
    problem *p = make();
    qz_run run;
    qz_mm *mm;
    qz_hessian h;
    qz_quantized q;
    qz_arena a = {0};
    qz_feedback_options o = with_groups(G);
    assert_int_equal(qz_run_init(&run, 1, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
    memset(p->gram, 0, sizeof p->gram); /* all dead: plain rounding, still a valid result */
    assert_int_equal(qz_hessian_init(&h, &run, p->gram, &how, &err), QZ_OK);
    assert_int_equal(h.dead, K);
    memset(p->w, 0, K * sizeof(float)); /* and a row of zeros */
    assert_int_equal(qz_feedback_quantize(&(qz_feedback_job){&run, mm, &h, &o, &a}, p->w, N, &q, &err), QZ_OK);
    for (size_t k = 0; k < K; k++)
        assert_int_equal(qz_int_codes_of(q.coded)->codes[k], qz_int_codes_of(q.coded)->zero_points[k / G]);
    qz_hessian_release(&h);
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < K; j++) p->gram[i * K + j] = 1; /* rank one */
    assert_int_equal(qz_hessian_init(&h, &run, p->gram, &how, &err), QZ_OK);
    assert_int_equal(qz_feedback_quantize(&(qz_feedback_job){&run, mm, &h, &o, &a}, p->w, N, &q, &err), QZ_OK);
    assert_true(isfinite(q.error));
    qz_hessian_release(&h);
    p->gram[5 * K + 5] = NAN;
    assert_int_equal(qz_hessian_init(&h, &run, p->gram, &how, &err),
                                                                          QZ_ENUMERIC);
    assert_non_null(strstr(err.text, "column 5"));
    err = (qz_error){0};
    o = with_groups(48);
    assert_int_equal(qz_feedback_quantize(&(qz_feedback_job){&run, mm, &(qz_hessian){.cols = K}, &o, &a}, p->w, N, &q,
                                          &err),
                     QZ_EUSAGE);
    err = (qz_error){0};
    qz_arena_release(&a);
    qz_mm_free(mm);
    qz_run_release(&run);
    qz_free(p);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(factor_of_the_matrix), cmocka_unit_test(each_step_helps),
                                       cmocka_unit_test(degenerate_statistics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
