/* The grids of small floats against the values of the elements themselves, enumerated: nearest, error, next code; the
 * scales against what a file can hold (formats/float-types.md, torch 2.15's casts through codecs/small_float). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "base/rng.h"
#include "methods/float_grid.h"

static const struct { qz_element element; qz_small_float type; uint8_t sign; } kinds[] = {
    {QZ_ELEMENT_E4M3, QZ_E4M3FN, 0x80}, {QZ_ELEMENT_E5M2, QZ_E5M2, 0x80}, {QZ_ELEMENT_E2M1, QZ_E2M1, 8}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static qz_float_grid grid_for(size_t kind, qz_scale_type scale, float amax) {
    qz_float_grid g;
    const qz_code_setting s = {.element = kinds[kind].element, .scale = scale, .bits = 8, .group_size = 16};
    assert_true(qz_float_grid_of(&s, 64, amax, &g));
    return g;
}

/* Least distance to any value of the element. */
static float best_of(size_t kind, float v, float scale) {
    float best = INFINITY;
    for (unsigned c = 0; c < 2u * kinds[kind].sign; c++) {
        const float x = qz_small_decode(kinds[kind].type, (uint8_t)c);
        if (isfinite(x)) best = fminf(best, fabsf(v - x * scale));
    }
    return best;
}

static void test_nearest(void **state) {
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const qz_float_grid g = grid_for(kind, QZ_SCALE_F32, 0);
        const qz_code_grid *b = &g.base;
        qz_rng rng;
        qz_rng_seed(&rng, 7 + kind);
        for (size_t i = 0; i < 20000; i++) {
            const qz_code_range r = {ldexpf(1.0f + (float)qz_rng_unit(&rng), (int)(i % 9) - 8), 0};
            const float v = (2 * (float)qz_rng_unit(&rng) - 1) * ldexpf(r.scale, (int)(i % 21) - 12) *
                            (i % 3 ? 1 : qz_small_max(kinds[kind].type) / 4);
            const float best = best_of(kind, v, r.scale), by_code = qz_code_value(b, r, b->ops->nearest(b, r, v)),
                        by_value = b->ops->near(b, r, v), one = 1;
            const float slack = 1e-5f * (fabsf(v) + best);
            assert_true(fabsf(fabsf(v - by_code) - best) <= slack);
            assert_true(fabsf(fabsf(v - by_value) - best) <= slack);
            assert_true(fabsf(sqrtf(b->ops->error(b, &v, &one, 1, r)) - best) <= slack);
        }
    }
}

/* From the least value to the largest, each step is the next one of the element. */
static void test_move(void **state) {
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const qz_float_grid g = grid_for(kind, QZ_SCALE_F32, 0);
        const qz_code_grid *b = &g.base;
        const qz_code_range r = {0.5f, 0};
        uint8_t code = b->ops->nearest(b, r, -1e9f), next;
        float step, at = qz_code_value(b, r, code);
        size_t n = 1;
        assert_true(at == -0.5f * qz_small_max(kinds[kind].type));
        for (; b->ops->move(b, r, code, 1, &next, &step); n++, code = next) {
            const float to = qz_code_value(b, r, next);
            assert_true(step > 0 && to == at + step);
            for (unsigned c = 0; c < 2u * kinds[kind].sign; c++) {
                const float x = 0.5f * qz_small_decode(kinds[kind].type, (uint8_t)c);
                assert_false(x > at && x < to);
            }
            uint8_t back;
            assert_true(b->ops->move(b, r, next, -1, &back, &step) && qz_code_value(b, r, back) == at);
            at = to;
        }
        assert_true(at == 0.5f * qz_small_max(kinds[kind].type));
        assert_true(n > kinds[kind].sign); /* all values were passed */
    }
}

/* Every candidate is a scale that the file holds, `scale` leaves it alone, and the set holds the one that is best of
 * all E4M3 scales for the group. */
static void test_scales(void **state) {
    (void)state;
    qz_rng rng;
    qz_rng_seed(&rng, 3);
    for (size_t i = 0; i < 300; i++) {
        float t[16], ones[16], best = INFINITY, found = INFINITY;
        qz_code_range all[QZ_RANGES_MOST];
        for (size_t k = 0; k < 16; k++) t[k] = (float)qz_rng_unit(&rng) - 0.5f, ones[k] = 1;
        const qz_float_grid g = grid_for(2, QZ_SCALE_E4M3, 4);
        const qz_code_grid *b = &g.base;
        const size_t n = b->ops->candidates(b, t, 16, 40, all);
        for (size_t c = 0; c < n; c++) {
            assert_true(all[c].scale > 0 && b->ops->scale(b, all[c].scale) == all[c].scale);
            found = fminf(found, b->ops->error(b, t, ones, 16, all[c]));
        }
        for (unsigned c = 1; c < 0x7f; c++) {
            const qz_code_range r = {qz_small_decode(QZ_E4M3FN, (uint8_t)c) * g.tensor, 0};
            best = fminf(best, b->ops->error(b, t, ones, 16, r));
        }
        assert_true(found == best);
        const qz_float_grid mx = grid_for(2, QZ_SCALE_E8M0, 0);
        const size_t powers = mx.base.ops->candidates(&mx.base, t, 16, 40, all);
        for (size_t c = 0; c < powers; c++) {
            int e;
            assert_true(frexpf(all[c].scale, &e) == 0.5f);
        }
    }
    const qz_scale_type types[] = {QZ_SCALE_F16, QZ_SCALE_BF16, QZ_SCALE_F32, QZ_SCALE_E8M0, QZ_SCALE_E4M3};
    for (size_t k = 0; k < 5; k++) { /* never 0, never more than finite */
        const qz_float_grid g = grid_for(2, types[k], 1);
        const float odd[] = {0, 1e-45f, 1e30f, INFINITY, 3e-6f};
        for (size_t i = 0; i < 5; i++) {
            const float s = g.base.ops->scale(&g.base, odd[i]);
            assert_true(s > 0 && isfinite(s) && g.base.ops->scale(&g.base, s) == s);
        }
    }
}

/* Rows that share a scale get the same range; one row more than whole blocks too. */
static void test_fixed(void **state) {
    (void)state;
    enum { ROWS = 9, COLS = 32 };
    float w[ROWS * COLS];
    qz_arena arena = {0};
    qz_float_grid g;
    qz_rng rng;
    qz_rng_seed(&rng, 5);
    for (size_t i = 0; i < ROWS * COLS; i++) w[i] = (float)qz_rng_unit(&rng) - 0.5f;
    const qz_code_setting s = {.element = QZ_ELEMENT_E4M3, .scale = QZ_SCALE_F32, .group_size = 16, .block_rows = 4};
    assert_true(qz_float_grid_of(&s, COLS, 0, &g));
    const qz_code_grid *own = g.base.ops->fit(&g.base, w, ROWS, COLS, &arena);
    assert_non_null(own);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < 2; j++) {
            const qz_code_range *x = qz_code_fixed(own, r, j, 2), *first = qz_code_fixed(own, r / 4 * 4, j, 2);
            assert_true(x == first && x->scale > 0);
        }
    assert_null(qz_code_fixed(&g.base, 0, 0, 2));
    qz_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest), cmocka_unit_test(test_move),
                                       cmocka_unit_test(test_scales), cmocka_unit_test(test_fixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
