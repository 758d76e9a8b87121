#include "methods/solve_small.h"
#include <math.h>

bool qz_solve_small(double *a, double *b, size_t n) {
    for (size_t j = 0; j < n; j++) {
        for (size_t q = 0; q <= j; q++) {
            double v = a[j * n + q];
            for (size_t p = 0; p < q; p++) v -= a[j * n + p] * a[q * n + p];
            if (q < j) a[j * n + q] = v / a[q * n + q];
            else if (v > 0) a[j * n + j] = sqrt(v);
            else return false;
        }
        for (size_t p = 0; p < j; p++) b[j] -= a[j * n + p] * b[p];
        b[j] /= a[j * n + j];
    }
    for (size_t j = n; j-- > 0;) {
        for (size_t p = j + 1; p < n; p++) b[j] -= a[p * n + j] * b[p];
        b[j] /= a[j * n + j];
    }
    return true;
}
