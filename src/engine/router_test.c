/* Rules of routers against worked examples: numbers are of the formulas (formats/families-2.md sections 4, 11 and 12),
 * computed in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "engine/router.h"

static void check(const qz_config *c, const float *correction, const float *z, const double *want) {
    float score[16];
    for (size_t i = 0; i < c->experts; i++) score[i] = z[i];
    qz_route_token(c, correction, score);
    for (size_t i = 0; i < c->experts; i++)
        if (fabs((double)score[i] - want[i]) > 1e-6)
            fail_msg("rule %d, expert %zu: expected %.8f, found %.8f", (int)c->route, i, want[i], (double)score[i]);
}
static double logistic(double z) { return 1 / (1 + exp(-z)); }

static void softmax(void **state) {
    (void)state;
    static const float z[4] = {1, 3, -2, 2};
    const double sum = exp(1) + exp(3) + exp(-2) + exp(2);
    qz_config c = {.experts = 4, .experts_used = 2, .route = QZ_ROUTE_SOFTMAX};
    check(&c, NULL, z, (const double[4]){0, exp(3) / sum, 0, exp(2) / sum});
    c.norm_topk = true;
    check(&c, NULL, z, (const double[4]){0, 1 / (1 + exp(-1)), 0, 1 / (1 + exp(1))});
    c.route_scale = 2.5;
    check(&c, NULL, z, (const double[4]){0, 2.5 / (1 + exp(-1)), 0, 2.5 / (1 + exp(1))});
    static const float ties[4] = {1, 1, 1, 1}; /* the lower index */
    check(&c, NULL, ties, (const double[4]){1.25, 1.25, 0, 0});
}

/* The correction chooses and does not weigh. */
static void corrected(void **state) {
    (void)state;
    static const float z[3] = {2, 1, 0}, up[3] = {0, 0, 1};
    qz_config c = {.experts = 3, .experts_used = 1, .route = QZ_ROUTE_SIGMOID};
    check(&c, NULL, z, (const double[3]){logistic(2), 0, 0});
    check(&c, up, z, (const double[3]){0, 0, logistic(0)});
    c.experts_used = 2, c.norm_topk = true;
    const double sum = logistic(0) + logistic(2);
    check(&c, up, z, (const double[3]){logistic(2) / sum, 0, logistic(0) / sum});
}

/* A group counts as its two best together: the best expert of all stands in one that is left out. */
static void groups(void **state) {
    (void)state;
    static const float z[6] = {3, -4, 1, 2, 0.5F, 2.5F};
    qz_config c = {.experts = 6, .experts_used = 2, .groups = 3, .groups_kept = 2, .route = QZ_ROUTE_SIGMOID};
    assert_true(logistic(3) + logistic(-4) < logistic(0.5) + logistic(2.5));
    check(&c, NULL, z, (const double[6]){0, 0, 0, logistic(2), 0, logistic(2.5)});
    c.groups = c.groups_kept = 1;
    check(&c, NULL, z, (const double[6]){logistic(3), 0, 0, 0, 0, logistic(2.5)});
}

/* Scores further off than 2·jitter of the larger magnitude take no part; the two weights do not sum to 1. */
static void sparse_mixer(void **state) {
    (void)state;
    static const float z[4] = {2, 1.9F, 1, -3};
    qz_config c = {.experts = 4, .experts_used = 2, .route = QZ_ROUTE_SPARSEMIXER, .route_jitter = 0.1};
    check(&c, NULL, z, (const double[4]){1 / (1 + exp((double)1.9F - 2)), 1, 0, 0});
    c.route_jitter = 0.4; /* 1 is within 0.8 of 2 and of 1.9; -3 of nothing */
    check(&c, NULL, z, (const double[4]){1 / (1 + exp((double)1.9F - 2) + exp(-1.0)), 1 / (1 + exp(1 - (double)1.9F)),
                                         0, 0});
    static const float low[4] = {-1, -1.05F, -2, 0}; /* nothing is near zero but itself */
    c.route_jitter = 0.1;
    check(&c, NULL, low, (const double[4]){1 / (1 + exp((double)-1.05F + 1)), 0, 0, 1});
}

static void of_input(void **state) {
    (void)state;
    static const float z[3] = {-1, 4, 2};
    const qz_config c = {.experts = 3, .experts_used = 1, .route = QZ_ROUTE_INPUT};
    check(&c, NULL, z, (const double[3]){0, logistic(4), 0});
    assert_true(qz_route_scales_input(&c));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(softmax), cmocka_unit_test(corrected), cmocka_unit_test(groups),
                                       cmocka_unit_test(sparse_mixer), cmocka_unit_test(of_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
