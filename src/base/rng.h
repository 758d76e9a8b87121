/* Seeded random numbers, the same on every machine (splitmix64 seeding, xoshiro256**). */
#ifndef QZ_BASE_RNG_H
#define QZ_BASE_RNG_H
#include <stdint.h>
typedef struct { uint64_t s[4]; } qz_rng;
void qz_rng_seed(qz_rng *r, uint64_t seed);
uint64_t qz_rng_u64(qz_rng *r);
double qz_rng_unit(qz_rng *r);                       /* [0, 1), 53 bits */
uint64_t qz_rng_below(qz_rng *r, uint64_t n);        /* 0..n-1, unbiased; n >= 1 */
float qz_rng_normal(qz_rng *r);                      /* mean 0, sd 1 */
#endif
