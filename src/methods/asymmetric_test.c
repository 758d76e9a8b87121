/* Asymmetric calibration against what it must find: with an input that lost a known linear part the target repairs it,
 * with a residual stream that lost one it gives that back, and what does not carry over from one half to the other
 * is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "methods/asymmetric.h"
#include "methods/damping.h"
#include "methods/int_grid.h"

enum { R = 24, K = 32, T = 4096 };
typedef struct {
    qz_run run;
    qz_mm *mm;
    qz_pair_stats s;
    float w[R * K], target[R * K];
    double alpha[2];
} rig;
static qz_error err;

static void setup(rig *r) {
    memset(r, 0, sizeof *r);
    assert_int_equal(qz_run_init(&r->run, 2, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&r->run, &r->mm, &err), QZ_OK);
    r->s.cols = K;
    r->s.lost_rows = R;
    qz_rng g;
    qz_rng_seed(&g, 3);
    for (size_t i = 0; i < R * K; i++) r->w[i] = qz_rng_normal(&g);
    for (int h = 0; h < QZ_HALVES; h++) {
        r->s.gram[h] = qz_calloc_array(K * K, sizeof(double));
        r->s.cross[h] = qz_calloc_array(K * K, sizeof(double));
        r->s.lost[h] = qz_calloc_array(R * K, sizeof(double));
        assert_true(r->s.gram[h] && r->s.cross[h] && r->s.lost[h]);
    }
}
static void teardown(rig *r) {
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(r->s.gram[h]);
        qz_free(r->s.cross[h]);
        qz_free(r->s.lost[h]);
    }
    qz_mm_free(r->mm);
    qz_run_release(&r->run);
}

/* Tokens with inputs x; the float input is x + shift·x turned by one column, the float stream is back·x[0..R)
 * ahead, plus noise. */
static void gather(rig *r, size_t tokens, double shift, double back, double noise) {
    qz_rng g;
    qz_rng_seed(&g, 11);
    for (size_t t = 0; t < tokens; t++) {
        double x[K], d[K], l[R];
        const size_t h = t / 8 % QZ_HALVES;
        for (size_t k = 0; k < K; k++) x[k] = (double)qz_rng_normal(&g);
        for (size_t k = 0; k < K; k++) d[k] = shift * x[(k + 1) % K] + noise * (double)qz_rng_normal(&g);
        for (size_t i = 0; i < R; i++) l[i] = back * x[i] + noise * (double)qz_rng_normal(&g);
        r->s.tokens[h]++;
        for (size_t k = 0; k < K; k++) {
            for (size_t i = 0; i < K; i++) r->s.gram[h][i * K + k] += x[i] * x[k];
            for (size_t i = 0; i < K; i++) r->s.cross[h][i * K + k] += d[i] * x[k];
            for (size_t i = 0; i < R; i++) r->s.lost[h][i * K + k] += l[i] * x[k];
        }
    }
}
static void solve(rig *r, bool residual) {
    qz_asymmetric a;
    assert_int_equal(qz_asymmetric_init(&a, &r->run, &r->s, 1e-4, residual, NULL, &err), QZ_OK);
    assert_int_equal(qz_asymmetric_target(&a, r->mm, r->w, R, r->target, r->alpha, &err), QZ_OK);
    qz_asymmetric_release(&a);
}
/* Root mean square of target − (W (I + shift·turn) + back·[I 0]). */
static double distance(const rig *r, double shift, double back) {
    double sum = 0;
    for (size_t i = 0; i < R; i++)
        for (size_t k = 0; k < K; k++) {
            double want = (double)r->w[i * K + k] + shift * (double)r->w[i * K + (k + K - 1) % K] + (i == k ? back : 0);
            sum += (want - (double)r->target[i * K + k]) * (want - (double)r->target[i * K + k]);
        }
    return sqrt(sum / (R * K));
}

static void repairs_what_is_known(void **state) {
    (void)state;
    rig r;
    setup(&r);
    gather(&r, T, 0.3, 0.5, 0.01);
    solve(&r, true);
    assert_true(r.alpha[0] > 0.98 && r.alpha[1] > 0.98);
    assert_true(distance(&r, 0.3, 0.5) < 0.005);
    solve(&r, false);
    assert_true(r.alpha[0] > 0.98 && r.alpha[1] == 0);
    assert_true(distance(&r, 0.3, 0) < 0.005);
    teardown(&r);
}

static void leaves_noise_alone(void **state) {
    (void)state;
    rig r;
    setup(&r);
    gather(&r, 256, 0, 0, 0.5); /* the halves agree about nothing */
    solve(&r, true);
    assert_true(r.alpha[0] < 0.3 && r.alpha[1] < 0.3);
    assert_true(distance(&r, 0, 0) < 0.1);
    gather(&r, 64, 0, 0.4, 0.5); /* a true part under as much noise: the strength lies between */
    solve(&r, true);
    assert_true(r.alpha[1] > 0 && r.alpha[1] < 0.95);
    teardown(&r);
}

enum { HELD = 256 };
/* The same decision where the matrix is all there is, and some of its tokens. */
static double damping_held(rig *r, const float *held, const qz_gptq_options *o, const qz_linear_rows *lin) {
    double damp = 0, *gram = qz_alloc_array(K * K, sizeof *gram);
    const uint64_t n = r->s.tokens[0] + r->s.tokens[1];
    assert_non_null(gram);
    for (size_t i = 0; i < K * K; i++) gram[i] = (r->s.gram[0][i] + r->s.gram[1][i]) / (double)n;
    for (size_t i = 0; i < K * K; i++) /* the matrix has seen the held tokens, too */
        for (size_t t = 0; t < HELD; t++)
            gram[i] += (double)held[t * K + i / K] * (double)held[t * K + i % K] / (double)n;
    for (size_t i = 0; i < K * K; i++) gram[i] *= (double)n / (double)(n + HELD);
    const qz_damping_tokens t = {gram, n + HELD, held, HELD, K};
    assert_int_equal(qz_damping_held(&(qz_damping_job){&r->run, r->mm, lin, 2, o}, &t, &damp, &err), QZ_OK);
    const qz_damping_tokens none = {gram, n + HELD, held, 0, K};
    double usual = 0;
    assert_int_equal(qz_damping_held(&(qz_damping_job){&r->run, r->mm, lin, 2, o}, &none, &usual, &err), QZ_OK);
    assert_true(usual == 0.01);
    qz_free(gram);
    return damp;
}

/* Inputs that four hidden values and a little noise make: their true Gram matrix is nearly singular, and a few tokens
 * make it look more so. */
static double damping_of(size_t tokens, double *of_held) {
    rig r;
    static float held[HELD * K];
    setup(&r);
    qz_rng g;
    qz_rng_seed(&g, 5);
    float mix[4][K];
    for (size_t i = 0; i < 4 * K; i++) mix[i / K][i % K] = qz_rng_normal(&g);
    r.s.lost_rows = 0;
    for (size_t t = 0; t < tokens + HELD; t++) {
        double x[K], z[4];
        const size_t h = t / 8 % QZ_HALVES;
        for (size_t i = 0; i < 4; i++) z[i] = (double)qz_rng_normal(&g);
        for (size_t k = 0; k < K; k++) {
            x[k] = 0.3 * (double)qz_rng_normal(&g);
            for (size_t i = 0; i < 4; i++) x[k] += z[i] * (double)mix[i][k];
        }
        for (size_t k = 0; k < K && t >= tokens; k++) held[(t - tokens) * K + k] = (float)x[k];
        if (t >= tokens) continue;
        r.s.tokens[h]++;
        for (size_t i = 0; i < K * K; i++) r.s.gram[h][i] += x[i / K] * x[i % K];
    }
    qz_asymmetric a;
    double damp = 0;
    const qz_int_grid grid = qz_int_grid_of(&(qz_code_setting){.bits = 4, .group_size = 16}, K);
    qz_gptq_options o = {.codes = qz_feedback_default};
    o.codes.grid = &grid.base;
    const qz_linear_rows lin[] = {{r.w, R / 2}, {r.w + R / 2 * K, R / 2}};
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, false, NULL, &err), QZ_OK);
    assert_int_equal(qz_damping_choose(&(qz_damping_job){&r.run, r.mm, lin, 2, &o}, &r.s, &a, &damp, &err), QZ_OK);
    *of_held = damping_held(&r, held, &o, lin);
    qz_asymmetric_release(&a);
    teardown(&r);
    return damp;
}
static void damping_follows_the_tokens(void **state) {
    (void)state;
    double held_few, held_many, held;
    const double few = damping_of(20, &held_few), many = damping_of(1 << 15, &held_many);
    assert_true(few >= 0.1 && few <= 1);
    assert_true(many <= 0.03);
    assert_true(damping_of(8, &held) == 0.01); /* a half without tokens */
    assert_true(held_few >= 0.1 && held_few <= 1);
    assert_true(held_many == 0.01);
}

/* λ that the halves choose: little where the tokens say the same, more where they are few and noisy. */
static double lambda_of(size_t tokens, double noise, bool residual) {
    rig r;
    qz_asymmetric a;
    setup(&r);
    gather(&r, tokens, 0.3, 0.5, noise);
    const qz_linear_rows lin[] = {{r.w, R / 2}, {r.w + R / 2 * K, R / 2}};
    const qz_lambda_fit fit = {r.mm, lin, 2};
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, residual, &fit, &err), QZ_OK);
    const double lambda = a.lambda;
    qz_asymmetric_release(&a);
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0.3, residual, &fit, &err), QZ_OK); /* asked for */
    assert_true(a.lambda == 0.3);
    qz_asymmetric_release(&a);
    teardown(&r);
    return lambda;
}
static void lambda_follows_the_tokens(void **state) {
    (void)state;
    for (int residual = 0; residual < 2; residual++) {
        assert_true(lambda_of(T, 0.01, residual) < 0.3);
        assert_true(lambda_of(96, 1, residual) >= 0.3);
        assert_true(lambda_of(8, 0.01, residual) == 0.02); /* a half without tokens */
    }
}

static void a_half_without_tokens(void **state) {
    (void)state;
    rig r;
    setup(&r);
    gather(&r, 8, 0.3, 0.5, 0); /* all fall into the first half */
    assert_int_equal(r.s.tokens[1], 0);
    solve(&r, true);
    assert_true(r.alpha[0] == 0 && r.alpha[1] == 0);
    assert_memory_equal(r.target, r.w, sizeof r.w);
    r.s.lost_rows = R - 1; /* and a linear of the wrong shape */
    qz_asymmetric a;
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, true, NULL, &err), QZ_OK);
    assert_int_equal(a.failed, 1); /* and it is said: that half has no correction */
    assert_string_equal(a.why, "no input in a half of the tokens");
    assert_int_equal(qz_asymmetric_target(&a, r.mm, r.w, R, r.target, r.alpha, &err), QZ_EBUG);
    qz_asymmetric_release(&a);
    teardown(&r);
}

/* A correction that cannot be computed is counted, with the reason. */
static void failures_are_counted(void **state) {
    (void)state;
    rig r;
    qz_asymmetric a;
    setup(&r);
    gather(&r, 512, 0.3, 0.5, 0);
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, true, NULL, &err), QZ_OK);
    assert_int_equal(a.failed, 0);
    qz_asymmetric_release(&a);
    for (int h = 0; h < QZ_HALVES; h++) r.s.gram[h][1] = r.s.gram[h][K] = 1e9; /* no Gram matrix of any tokens */
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, true, NULL, &err), QZ_OK);
    assert_int_equal(a.failed, QZ_HALVES + 1);
    assert_string_equal(a.why, "its matrix cannot be factored");
    for (size_t i = 0; i < K * K; i++) assert_true(a.delta[i] == 0);
    qz_asymmetric_release(&a);
    r.s.gram[0][0] = NAN;
    assert_int_equal(qz_asymmetric_init(&a, &r.run, &r.s, 0, true, NULL, &err), QZ_OK);
    assert_int_equal(a.failed, QZ_HALVES + 1);
    assert_string_equal(a.why, "its statistics are not finite");
    qz_asymmetric_release(&a);
    teardown(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(repairs_what_is_known), cmocka_unit_test(leaves_noise_alone),
                                       cmocka_unit_test(damping_follows_the_tokens),
                                       cmocka_unit_test(lambda_follows_the_tokens),
                                       cmocka_unit_test(a_half_without_tokens),
                                       cmocka_unit_test(failures_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
