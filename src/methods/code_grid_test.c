/* The solver on a kind of codes that it has never heard of: sixteen unevenly spaced values (those of FP4, E2M1) with
 * float scales that are powers of two, made up here. Truth: the output error computed directly from the tokens, and the
 * values enumerated one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "methods/gptq.h"

enum { N = 20, K = 96, T = 400, G = 16, VALUES = 16 };
static const float values[VALUES] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
static float w[N * K], x[T * K];
static double gram[K * K];
static qz_error err;

/* ---- the codes as a matrix ---- */
typedef struct { qz_coded base; qz_code_result made; } test_coded;
static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const qz_code_result *m = &((const test_coded *)(const void *)c)->made;
    for (size_t k = first; k < first + n; k++) {
        const size_t group = m->g_idx ? m->g_idx[k] : k / G;
        y[k - first] = values[m->codes[row * K + k]] * m->ranges[row * (K / G) + group].scale;
    }
}
static const qz_coded_ops coded_ops = {.name = "made up", .decode = decode};

/* ---- the grid ---- */
static float round_scale(const qz_code_grid *g, float s) {
    (void)g;
    int e;
    (void)frexpf(fabsf(s) * 1.414f, &e);
    return s > 0 ? ldexpf(1, e - 1) : 0x1p-24f;
}
static size_t candidates(const qz_code_grid *g, const float *t, size_t n, size_t steps,
                         qz_code_range out[QZ_RANGES_MOST]) {
    float most = 0;
    (void)steps;
    for (size_t k = 0; k < n; k++) most = fabsf(t[k]) > most ? fabsf(t[k]) : most;
    for (size_t i = 0; i < 3; i++) out[i] = (qz_code_range){round_scale(g, ldexpf(most / 6, 1 - (int)i)), 0};
    return 3;
}
static qz_code_range least(const qz_code_grid *g) {
    (void)g;
    return (qz_code_range){0x1p-24f, 0};
}
static uint8_t nearest(const qz_code_grid *g, qz_code_range r, float v) {
    uint8_t best = 0;
    (void)g;
    for (uint8_t c = 1; c < VALUES; c++)
        if (fabsf(v - values[c] * r.scale) < fabsf(v - values[best] * r.scale)) best = c;
    return best;
}
static float near(const qz_code_grid *g, qz_code_range r, float v) { return values[nearest(g, r, v)] * r.scale; }
static float error(const qz_code_grid *g, const float *t, const float *weight, size_t n, qz_code_range r) {
    float sum = 0;
    for (size_t k = 0; k < n; k++) sum += weight[k] * (t[k] - near(g, r, t[k])) * (t[k] - near(g, r, t[k]));
    return sum;
}
static float unit(const qz_code_grid *g, qz_code_range r, uint8_t code) {
    (void)g, (void)r;
    return values[code];
}
/* The next larger or smaller value. */
static bool move(const qz_code_grid *g, qz_code_range r, uint8_t code, float grad, uint8_t *next, float *step) {
    bool found = false;
    (void)g;
    for (uint8_t c = 0; c < VALUES; c++) {
        const float by = values[c] - values[code];
        if (by == 0 || (by > 0) != (grad > 0) || (found && fabsf(by) >= fabsf(*step / r.scale))) continue;
        found = true;
        *next = c;
        *step = by * r.scale;
    }
    return found;
}
static const qz_coded *pack(const qz_code_grid *g, const qz_code_result *made, qz_arena *arena) {
    test_coded *c = qz_arena_calloc(arena, 1, sizeof *c);
    (void)g;
    if (c) *c = (test_coded){{&coded_ops, made->rows, made->cols}, *made};
    return c ? &c->base : NULL;
}
static const qz_code_grid_ops ops = {.candidates = candidates, .least = least, .error = error, .near = near,
                                     .nearest = nearest, .unit = unit,
                                     .scale = round_scale, .move = move, .pack = pack};
static const qz_code_grid grid = {.ops = &ops, .group = G};

static double output_error(const float *v) {
    double sum = 0;
    for (size_t t = 0; t < T; t++)
        for (size_t n = 0; n < N; n++) {
            double d = 0;
            for (size_t k = 0; k < K; k++) d += (double)x[t * K + k] * ((double)w[n * K + k] - (double)v[n * K + k]);
            sum += d * d / T;
        }
    return sum;
}

typedef enum { ROUNDED, FED_BACK, DESCENDED, PERMUTED } way;
static void solve(way how, size_t threads, float v[N * K], double *reported) {
    qz_gptq_options o = {.codes = qz_feedback_default, .act_order = how == PERMUTED, .damp = 0.01};
    qz_run run;
    qz_mm *mm;
    qz_gptq g;
    qz_quantized q;
    qz_arena arena = {0};
    o.codes.grid = &grid;
    if (how == FED_BACK) o.codes.rounds = o.codes.sweeps = 0;
    assert_int_equal(qz_run_init(&run, threads, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
    if (how == ROUNDED) assert_int_equal(qz_gptq_without(&g, &run, K, &o, "no statistics", &err), QZ_OK);
    else assert_int_equal(qz_gptq_prepare(&g, &run, gram, K, &o, &err), QZ_OK);
    assert_int_equal(qz_gptq_quantize(&g, mm, w, N, &arena, &q, &err), QZ_OK);
    assert_ptr_equal(q.coded->ops, &coded_ops);
    const qz_code_result *made = &((const test_coded *)(const void *)q.coded)->made;
    assert_int_equal(made->g_idx != NULL, how == PERMUTED);
    for (size_t i = 0; i < N * K; i++) assert_true(made->codes[i] < VALUES);
    for (size_t i = 0; i < N * K / G; i++)
        assert_true(made->ranges[i].scale == round_scale(&grid, made->ranges[i].scale));
    qz_quantized_decode(&q, v);
    *reported = q.error;
    qz_gptq_release(&g);
    qz_mm_free(mm);
    qz_run_release(&run);
    qz_arena_release(&arena);
}

static void each_step_helps(void **state) {
    (void)state;
    double last = INFINITY, first = 0;
    for (way how = ROUNDED; how <= DESCENDED; how++) {
        float v[2][N * K];
        double reported[2];
        for (size_t t = 0; t < 2; t++) solve(how, t + 1, v[t], &reported[t]);
        assert_memory_equal(v[0], v[1], sizeof v[0]);
        const double e = output_error(v[0]);
        if (!(e < last)) fail_msg("step %d: %g is not below %g", how, e, last);
        /* the reported error holds the damping on top */
        if (how == DESCENDED) assert_true(fabs(reported[0] - e) < 0.15 * e);
        if (how == ROUNDED) first = e;
        last = e;
    }
    assert_true(last < 0.7 * first);
}

/* Groups along the falling diagonal: g_idx goes to the kind's own pack, and decoding by it is as good as
 * feedback in order. */
static void act_order_reaches_the_kind(void **state) {
    (void)state;
    float v[N * K];
    double rounded, e, ignored;
    solve(ROUNDED, 1, v, &ignored);
    rounded = output_error(v);
    solve(PERMUTED, 1, v, &ignored);
    e = output_error(v);
    if (!(e < 0.7 * rounded)) fail_msg("%g of %g", e, rounded);
}

/* It has no published loop, and says so. */
static void no_reference_loop(void **state) {
    (void)state;
    qz_gptq_options o = {.codes = {.grid = &grid, .reference = true}};
    qz_run run;
    qz_mm *mm;
    qz_gptq g;
    qz_quantized q;
    qz_arena arena = {0};
    assert_int_equal(qz_run_init(&run, 1, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
    assert_int_equal(qz_gptq_prepare(&g, &run, gram, K, &o, &err), QZ_OK);
    assert_int_equal(qz_gptq_quantize(&g, mm, w, N, &arena, &q, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "published loop"));
    err = (qz_error){0};
    qz_gptq_release(&g);
    qz_mm_free(mm);
    qz_run_release(&run);
    qz_arena_release(&arena);
}

int main(void) {
    qz_rng r;
    qz_rng_seed(&r, 44);
    for (size_t i = 0; i < N * K; i++) w[i] = 0.05f * qz_rng_normal(&r);
    for (size_t t = 0; t < T; t++) {
        const float shared = qz_rng_normal(&r);
        for (size_t k = 0; k < K; k++) x[t * K + k] = (k % 7 == 0 ? 3.0f : 0.5f) * qz_rng_normal(&r) + 0.8f * shared;
        for (size_t i = 0; i < K * K; i++) gram[i] += (double)x[t * K + i / K] * (double)x[t * K + i % K] / T;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_step_helps), cmocka_unit_test(act_order_reaches_the_kind),
                                       cmocka_unit_test(no_reference_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
