/* Sampler: greedy, limits and seeds. Checked against the definitions (formulas in each test). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "base/mathx.h"
#include "engine/sampler.h"

static const float logits[5] = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f};
static qz_sampler make(qz_sampling o) {
    qz_sampler s;
    qz_error err = {0};
    assert_int_equal(qz_sampler_init(&s, &o, 5, &err), QZ_OK);
    return s;
}
static void greedy_takes_the_first_largest(void **state) {
    (void)state;
    assert_int_equal(qz_argmax(logits, 5), 1);
    qz_sampler s = make((qz_sampling){.top_p = 1, .repetition_penalty = 1});
    assert_int_equal(qz_sampler_pick(&s, logits, NULL, 0), 1);
    qz_sampler_release(&s);
}
static void penalty_moves_the_choice(void **state) {
    (void)state;
    qz_sampler s = make((qz_sampling){.top_p = 1, .repetition_penalty = 2});
    const uint32_t recent[] = {1, 3, 1};
    assert_int_equal(qz_sampler_pick(&s, logits, recent, 3), 2); /* 3/2 = 1.5 < 2 */
    qz_sampler_release(&s);
}
static void frequencies_follow_softmax(void **state) {
    (void)state;
    qz_sampler s = make((qz_sampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1, .seed = 7});
    double z = 0, count[5] = {0};
    for (int i = 0; i < 5; i++) z += exp((double)logits[i]);
    for (int i = 0; i < 20000; i++) count[qz_sampler_pick(&s, logits, NULL, 0)]++;
    for (int i = 0; i < 5; i++) assert_true(fabs(count[i] / 20000 - exp((double)logits[i]) / z) < 0.015);
    qz_sampler_release(&s);
}
static void limits(void **state) {
    (void)state;
    qz_sampler k = make((qz_sampling){.temperature = 1, .top_k = 2, .top_p = 1, .repetition_penalty = 1});
    qz_sampler p = make((qz_sampling){.temperature = 1, .top_p = 0.5f, .repetition_penalty = 1});
    qz_sampler m = make((qz_sampling){.temperature = 1, .top_p = 1, .min_p = 0.9f, .repetition_penalty = 1});
    for (int i = 0; i < 500; i++) {
        assert_int_equal(qz_sampler_pick(&k, logits, NULL, 0) % 2, 1); /* ids 1 and 3 */
        assert_int_equal(qz_sampler_pick(&p, logits, NULL, 0) % 2, 1);
        assert_int_equal(qz_sampler_pick(&m, logits, NULL, 0) % 2, 1);
    }
    qz_sampler_release(&k);
    qz_sampler_release(&p);
    qz_sampler_release(&m);
}
static void same_seed_same_tokens(void **state) {
    (void)state;
    qz_sampling o = {.temperature = 1.5f, .top_p = 1, .repetition_penalty = 1, .seed = 42};
    qz_sampler a = make(o), b = make(o);
    for (int i = 0; i < 200; i++)
        assert_int_equal(qz_sampler_pick(&a, logits, NULL, 0), qz_sampler_pick(&b, logits, NULL, 0));
    qz_sampler_release(&a);
    qz_sampler_release(&b);
}
static void float_exp_is_accurate(void **state) {
    (void)state;
    double worst = 0;
    for (float x = -87.0f; x < 88.0f; x += 0.00371f) {
        double e = exp((double)x), d = fabs((double)qz_expf(x) - e) / e;
        worst = d > worst ? d : worst;
        assert_true(fabs(qz_exp((double)x) - e) <= 4e-16 * e);
    }
    assert_true(worst < 2.5e-7);
    assert_true(qz_expf(-100.0f) == 0.0f);
    for (double x = 0.001; x < 1e6; x *= 1.01) {
        assert_true(fabs(qz_log(x) - log(x)) <= 1e-15 * fabs(log(x)) + 1e-18);
        assert_true(fabs(qz_sin(x) - sin(x)) < 4e-11 && fabs(qz_cos(x) - cos(x)) < 4e-11);
    }
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_takes_the_first_largest),
                                       cmocka_unit_test(penalty_moves_the_choice),
                                       cmocka_unit_test(frequencies_follow_softmax), cmocka_unit_test(limits),
                                       cmocka_unit_test(same_seed_same_tokens),
                                       cmocka_unit_test(float_exp_is_accurate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
