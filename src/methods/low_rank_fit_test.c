/* The nearest product of narrow matrices against Eckart and Young: D and H are built from Hadamard bases, so that the
 * singular values of D·H^½ are known, and with them what every rank must leave over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "methods/low_rank_fit.h"

enum { ROWS = 32, COLS = 64, MOST = 8 };
static qz_error err;
/* Singular values of D and eigenvalues of H along the shared directions; others of H: 2. */
static const double values[MOST] = {9, 4, 7, 1, 3, 0.5, 2, 0.25}, powers[MOST] = {0.01, 4, 1, 25, 0, 100, 0.25, 1};

static double hadamard(size_t i, size_t k, size_t n) {
    return (__builtin_popcountll(i & k) & 1 ? -1.0 : 1.0) / sqrt((double)n);
}

typedef struct { float d[ROWS * COLS], gram[COLS * COLS], left[ROWS * MOST], right[MOST * COLS]; } problem;
static problem *make(void) {
    problem *p = qz_calloc_array(1, sizeof *p);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLS; c++) {
            double sum = 0;
            for (size_t k = 0; k < MOST; k++) sum += values[k] * hadamard(r, k + 3, ROWS) * hadamard(c, k + 9, COLS);
            p->d[r * COLS + c] = (float)sum;
        }
    for (size_t a = 0; a < COLS; a++)
        for (size_t b = 0; b < COLS; b++) {
            double sum = 0;
            for (size_t k = 0; k < COLS; k++)
                sum += (k >= 9 && k < 9 + MOST ? powers[k - 9] : 2) * hadamard(a, k, COLS) * hadamard(b, k, COLS);
            p->gram[a * COLS + b] = (float)sum;
        }
    return p;
}

/* Σ of the squares that the best product of this rank cannot hold. */
static double least(size_t rank) {
    double square[MOST], sum = 0;
    for (size_t k = 0; k < MOST; k++) square[k] = values[k] * values[k] * powers[k];
    for (size_t r = 0; r < rank; r++) {
        size_t best = 0;
        for (size_t k = 1; k < MOST; k++) best = square[k] > square[best] ? k : best;
        square[best] = 0;
    }
    for (size_t k = 0; k < MOST; k++) sum += square[k];
    return sum;
}

/* E‖(D − L·R) x‖² by its definition. */
static double error_of(const problem *p, size_t rank) {
    double sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double e[COLS];
        for (size_t c = 0; c < COLS; c++) {
            e[c] = (double)p->d[r * COLS + c];
            for (size_t k = 0; k < rank; k++) e[c] -= (double)p->left[r * rank + k] * (double)p->right[k * COLS + c];
        }
        for (size_t a = 0; a < COLS; a++)
            for (size_t b = 0; b < COLS; b++) sum += e[a] * e[b] * (double)p->gram[a * COLS + b];
    }
    return sum;
}

static qz_low_rank_gain fit(problem *p, size_t rank, size_t threads) {
    qz_run run;
    qz_mm *mm = NULL;
    qz_low_rank_gain gain;
    const qz_low_rank_target t = {p->d, p->gram, ROWS, COLS, rank};
    assert_int_equal(qz_run_init(&run, threads, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
    assert_int_equal(qz_low_rank_fit(mm, &t, p->left, p->right, &gain, &err), QZ_OK);
    qz_mm_free(mm);
    qz_run_release(&run);
    return gain;
}

static void nearest(void **state) {
    (void)state;
    problem *p = make();
    for (size_t rank = 1; rank <= MOST; rank++) {
        const qz_low_rank_gain gain = fit(p, rank, 1);
        assert_true(fabs(gain.before - least(0)) < 1e-4 * least(0));
        assert_true(fabs(gain.after - least(rank)) < 1e-4 * least(0));
        assert_true(fabs(error_of(p, rank) - least(rank)) < 1e-4 * least(0));
        for (size_t k = 0; k < rank; k++) { /* columns and rows of one length */
            double l = 0, r = 0;
            for (size_t i = 0; i < ROWS; i++) l += (double)(p->left[i * rank + k] * p->left[i * rank + k]);
            for (size_t i = 0; i < COLS; i++) r += (double)(p->right[k * COLS + i] * p->right[k * COLS + i]);
            assert_true(fabs(l - r) <= 1e-3 * (l + r) + 1e-6);
        }
    }
    qz_free(p);
}

static void threads(void **state) {
    (void)state;
    problem *a = make(), *b = make();
    (void)fit(a, 4, 1);
    (void)fit(b, 4, 3);
    assert_memory_equal(a, b, sizeof *a);
    qz_free(a);
    qz_free(b);
}

/* Nothing to fit, and what is no number. */
static void edges(void **state) {
    (void)state;
    problem *p = make();
    qz_run run;
    qz_mm *mm = NULL;
    qz_low_rank_gain gain;
    const qz_low_rank_target t = {p->d, p->gram, ROWS, COLS, 3};
    assert_int_equal(qz_run_init(&run, 1, &err), QZ_OK);
    assert_int_equal(qz_mm_open(&run, &mm, &err), QZ_OK);
    memset(p->d, 0, sizeof p->d);
    assert_int_equal(qz_low_rank_fit(mm, &t, p->left, p->right, &gain, &err), QZ_OK);
    for (size_t i = 0; i < ROWS * 3; i++) assert_true(p->left[i] >= 0 && p->left[i] <= 0);
    for (size_t i = 0; i < COLS * 3; i++) assert_true(p->right[i] >= 0 && p->right[i] <= 0);
    p->d[5] = NAN;
    assert_int_equal(qz_low_rank_fit(mm, &t, p->left, p->right, &gain, &err), QZ_ENUMERIC);
    qz_mm_free(mm);
    qz_run_release(&run);
    qz_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nearest), cmocka_unit_test(threads), cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
