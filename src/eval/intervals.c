#include "eval/intervals.h"
#include <math.h>

double qz_normal_quantile(double p) {
    double lo = -40, hi = 40;
    for (int i = 0; i < 200 && hi - lo > 1e-13; i++) {
        const double mid = (lo + hi) / 2;
        if (0.5 * erfc(-mid / sqrt(2.0)) < p) lo = mid;
        else hi = mid;
    }
    return (lo + hi) / 2;
}

void qz_share_interval(double k, double n, double confidence, double *low, double *high) {
    if (!(n > 0)) {
        *low = 0;
        *high = 1;
        return;
    }
    const double z = qz_normal_quantile(0.5 + confidence / 2), p = k / n, w = z * z / n;
    const double mid = (p + w / 2) / (1 + w), half = z * sqrt(p * (1 - p) / n + w / (4 * n)) / (1 + w);
    /* rounding must not put 0 of n outside */
    *low = fmin(p, fmax(0, mid - half));
    *high = fmax(p, fmin(1, mid + half));
}

void qz_drop_interval(double lost, double won, double n, double confidence, double *low, double *high) {
    if (!(n > 0)) {
        *low = -1;
        *high = 1;
        return;
    }
    const double z = qz_normal_quantile(0.5 + confidence / 2), a = (lost + 1) / (n + 2), b = (won + 1) / (n + 2);
    const double half = z * sqrt(fmax(0, a + b - (a - b) * (a - b)) / (n + 2));
    *low = fmax(-1, a - b - half);
    *high = fmin(1, a - b + half);
}
