/* Rows of the forward pass: every level gives the reference's bits, and the reference agrees with double arithmetic. */
#include "check.h"
#include <math.h>
#include <string.h>
#include "base/size.h"

enum { MOST = 150 };

/* Scores as attention makes them, and what it must never lose sight of. */
static void fill_row(check *c, float *x, size_t n, int kind) {
    fill_floats(c, x, n, kind);
    for (size_t i = 0; i < n; i++) x[i] *= 20;
    if (kind == DATA_LIMITS && n > 9) x[n / 2] = -INFINITY, x[n - 1] = (float)NAN;
}

static void check_softmax(check *c, size_t n, size_t lo, size_t hi, int kind) {
    guarded gx, gw;
    float *x = guard_open(&gx, n, 4, 4), *w = guard_open(&gw, n, 4, 0), was[MOST];
    fill_row(c, x, n, kind);
    memcpy(w, x, n * 4), memcpy(was, x, n * 4);
    c->ops->softmax(x, n, lo, hi, 0.3f);
    c->ref->softmax(w, n, lo, hi, 0.3f);
    expect_floats(c, x, w, n, "softmax");
    double sum = 0;
    for (size_t k = lo; k < hi; k++) sum += exp(0.3 * (double)was[k]);
    for (size_t k = 0; k < n && kind == DATA_NORMAL; k++) {
        const double want = k >= lo && k < hi ? exp(0.3 * (double)was[k]) / sum : 0;
        expect(c, fabs((double)x[k] - want) <= 1e-5 * want + 1e-37,
               "softmax: element %zu of [%zu, %zu) is %g, expected %g", k, lo, hi, (double)x[k], want);
    }
    guard_close(c, &gx), guard_close(c, &gw);
}

static void check_norm_and_gate(check *c, size_t n, int kind) {
    guarded gx, gy, gw;
    float *x = guard_open(&gx, n, 4, 4), *y = guard_open(&gy, n, 4, 8), *w = guard_open(&gw, n, 4, 0), u[MOST];
    fill_row(c, x, n, kind);
    fill_floats(c, u, n, DATA_NORMAL);
    c->ops->rms_norm(x, u, n, 1e-5f, y);
    c->ref->rms_norm(x, u, n, 1e-5f, w);
    expect_floats(c, y, w, n, "rms_norm");
    double square = 0;
    for (size_t k = 0; k < n; k++) square += (double)x[k] * (double)x[k];
    for (size_t k = 0; k < n && kind == DATA_NORMAL; k++) {
        const double want = (double)x[k] * (double)u[k] / sqrt(square / (double)n + 1e-5);
        expect(c, fabs((double)y[k] - want) <= 1e-6 * fabs(want), "rms_norm: element %zu of %zu is %g, expected %g", k,
               n, (double)y[k], want);
    }
    memcpy(y, x, n * 4), memcpy(w, x, n * 4);
    c->ops->silu_mul(y, u, n);
    c->ref->silu_mul(w, u, n);
    expect_floats(c, y, w, n, "silu_mul");
    for (size_t k = 0; k < n && kind == DATA_NORMAL; k++) {
        const double want = (double)x[k] / (1 + exp(-(double)x[k])) * (double)u[k];
        expect(c, fabs((double)y[k] - want) <= 1e-6 * fabs(want) + 1e-35,
               "silu_mul: element %zu of %zu is %g, expected %g", k, n, (double)y[k], want);
    }
    bool finite = true;
    for (size_t k = 0; k < n; k++) finite = finite && isfinite(x[k]);
    expect(c, c->ops->all_finite(x, n) == finite, "all_finite: %zu values", n);
    guard_close(c, &gx), guard_close(c, &gy), guard_close(c, &gw);
}

/* Sums over a vocabulary: of exponentials, and of a KL divergence. */
static void check_sums(check *c, size_t n, int kind) {
    guarded ga, gb;
    float *a = guard_open(&ga, n, 4, 4), *b = guard_open(&gb, n, 4, 0), top[2];
    double sum[2], kl[2][2], want = 0, mass = 0, diff = 0;
    fill_row(c, a, n, kind);
    fill_floats(c, b, n, DATA_NORMAL);
    sum[0] = c->ops->exp_sum(a, n, &top[0]);
    sum[1] = c->ref->exp_sum(a, n, &top[1]);
    expect(c, memcmp(&top[0], &top[1], sizeof top[0]) == 0 && (sum[0] == sum[1] || (isnan(sum[0]) && isnan(sum[1]))),
           "exp_sum: %zu values: %.17g over %g, expected %.17g over %g", n, sum[0], (double)top[0], sum[1],
           (double)top[1]);
    c->ops->kl_sums(a, b, n, 3, kl[0]);
    c->ref->kl_sums(a, b, n, 3, kl[1]);
    for (int i = 0; i < 2; i++)
        expect(c, kl[0][i] == kl[1][i] || (isnan(kl[0][i]) && isnan(kl[1][i])),
               "kl_sums: %zu values: sum %d is %.17g, expected %.17g", n, i, kl[0][i], kl[1][i]);
    for (size_t k = 0; k < n; k++) {
        const double p = exp((double)a[k] - 3);
        want += exp((double)a[k] - (double)top[0]);
        mass += p, diff += p * ((double)a[k] - (double)b[k]);
    }
    if (kind == DATA_NORMAL)
        expect(c, fabs(sum[0] - want) <= 1e-6 * want && fabs(kl[0][1] - mass) <= 1e-5 * mass &&
                      fabs(kl[0][0] - diff) <= 1e-5 * (fabs(diff) + mass),
               "sums of %zu values: %g %g %g, expected %g %g %g", n, sum[0], kl[0][0], kl[0][1], want, diff, mass);
    guard_close(c, &ga), guard_close(c, &gb);
}

void check_rows(check *c) {
    for (size_t n = 0; n < MOST; n += n < 40 ? 1 : 13)
        for (int kind = 0; kind < DATA_KINDS; kind++) {
            c->op = "rows";
            if (n) check_norm_and_gate(c, n, kind), check_sums(c, n, kind);
            for (size_t lo = 0; lo < n; lo += lo < 3 ? 1 : 11)
                for (size_t hi = lo + 1; hi <= n; hi += hi < lo + 3 ? 1 : 7) check_softmax(c, n, lo, hi, kind);
        }
}
