#include "gate/sequence.h"
#include <math.h>

/* log of the integral of p^k (1 − p)^(n − k) over [a, b], by Simpson's rule around its peak: a quarter of a standard
 * deviation a step, exact to 1e-6, far less than the threshold it is held against. */
static double log_integral(double k, double n, double a, double b) {
    enum { STEPS = 96 };
    const double peak = fmin(fmax(n > 0 ? k / n : 0.5, a + 1e-12), b - 1e-12);
    const double top = k * log(fmax(peak, 1e-300)) + (n - k) * log(fmax(1 - peak, 1e-300));
    /* beyond twelve standard deviations there is nothing left to add */
    const double sd = sqrt(fmax(peak * (1 - peak), 1 / (n + 1)) / (n + 1));
    const double lo = fmax(a, peak - 12 * sd), hi = fmin(b, peak + 12 * sd), h = (hi - lo) / STEPS;
    double sum = 0;
    if (!(h > 0)) return -INFINITY;
    for (int i = 0; i <= STEPS; i++) {
        const double p = fmin(fmax(lo + i * h, 1e-300), 1 - 1e-16);
        const double f = exp(k * log(p) + (n - k) * log1p(-p) - top);
        sum += f * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2);
    }
    return log(sum * h / 3) + top;
}

int qz_sequence_share(double k, double n, double limit, double alpha) {
    if (!(n > 0) || !(limit > 0) || !(limit < 1)) return 0;
    const double null = k * log(limit) + (n - k) * log1p(-limit), need = log(1 / alpha);
    if (k / n > limit) return log_integral(k, n, limit, 1) - log(1 - limit) - null >= need ? -1 : 0;
    return log_integral(k, n, 0, limit) - log(limit) - null >= need ? 1 : 0;
}

void qz_sequence_add(qz_sequence_sums *s, double value) {
    const double l = log(fmax(value, 1e-12));
    s->n++;
    s->sum += value;
    s->squares += value * value;
    s->log_sum += l;
    s->log_squares += l * l;
}

static double variance(double n, double sum, double squares) {
    return fmax(0, (squares / n - sum / n * (sum / n)) * n / (n - 1));
}

int qz_sequence_mean(const qz_sequence_sums *s, double limit, double alpha, double *low, double *high) {
    enum { TUNED_FOR = 16 }; /* values after which the sequence is tightest */
    const double n = s->n;
    if (low) *low = 0;
    if (high) *high = INFINITY;
    if (n < QZ_SEQUENCE_FIRST) return 0;
    /* one-sided at alpha: the two-sided mixture at 2 alpha */
    const double a = 2 * alpha, rho2 = (-2 * log(a) + log(-2 * log(a)) + 1) / TUNED_FOR, t = n * rho2 + 1;
    const double k = sqrt(2 * t / (n * n * rho2) * log(sqrt(t) / a) * n / (n - 3));
    const double mean = s->sum / n, radius = k * sqrt(variance(n, s->sum, s->squares));
    const double lv = variance(n, s->log_sum, s->log_squares);
    const double log_high = s->log_sum / n + lv / 2 + k * sqrt(lv + lv * lv / 2);
    if (low) *low = fmax(0, mean - radius);
    if (high) *high = fmax(mean + radius, exp(log_high));
    if (mean - radius > limit) return -1;
    return mean + radius < limit && log_high < log(limit) ? 1 : 0;
}
