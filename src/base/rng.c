#include "base/rng.h"
#include "base/mathx.h"
#include <math.h>

void qz_rng_seed(qz_rng *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->s[i] = z ^ (z >> 31);
    }
}
static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
uint64_t qz_rng_u64(qz_rng *r) {
    uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}
double qz_rng_unit(qz_rng *r) { return (double)(qz_rng_u64(r) >> 11) * 0x1p-53; }
uint64_t qz_rng_below(qz_rng *r, uint64_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
    do v = qz_rng_u64(r);
    while (v >= limit);
    return v % n;
}
float qz_rng_normal(qz_rng *r) { /* Box–Muller, one value a call: simple and the same everywhere */
    double u = 1.0 - qz_rng_unit(r), v = qz_rng_unit(r);
    return (float)(sqrt(-2.0 * qz_log(u)) * qz_cos(6.283185307179586477 * v));
}
