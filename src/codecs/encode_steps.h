/* The steps of the reference encoders around their searches, for encoders that search many blocks at a time (kernels/
 * encode.h) and must give the same bytes: search, then finish (K types) or put (32-value types). What the
 * search leaves: */
#ifndef QZ_CODECS_ENCODE_STEPS_H
#define QZ_CODECS_ENCODE_STEPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    float scales[16], mins[16]; /* of each sub-block; mins as non-negative numbers, where the type has them */
    float sw[16];               /* sums of the weights of each sub-block, with importance */
    uint8_t codes[256];
} qz_k_found;

typedef struct {
    int nmax;            /* largest code */
    float rmin, rdelta;  /* first factor and step of the grid of scales */
    int nstep;
    bool absolute;       /* error |.| instead of squares */
} qz_search_grid;
/* Grids of the types without importance; with importance all use qz_grid_weighted with their own nmax. */
static const qz_search_grid qz_grid_q2_k = {3, -0.5f, 0.1f, 15, true};
static const qz_search_grid qz_grid_q4_k = {15, -1.0f, 0.1f, 20, false};
static const qz_search_grid qz_grid_q5_k = {31, -0.5f, 0.1f, 15, false};
static inline qz_search_grid qz_grid_weighted(int nmax) { return (qz_search_grid){nmax, -0.9f, 0.05f, 36, false}; }

/* Scale codes, requantization and packing of one block of 256 at x; changes f. weighted: searched with importance. */
void qz_q2_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
void qz_q3_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
void qz_q4_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
void qz_q5_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
void qz_q6_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
/* One block of 32. */
void qz_q4_0_put(float d, const uint8_t codes[32], uint8_t *out);
void qz_q5_0_put(float d, const uint8_t codes[32], uint8_t *out);
void qz_q4_1_put(float d, float min, const uint8_t codes[32], uint8_t *out);
void qz_q5_1_put(float d, float min, const uint8_t codes[32], uint8_t *out);
/* IQ4_NL and IQ4_XS: the sixteen values, the middles between them (a value on one goes up); a block under the scales
 * that the search found for each 32 values. */
extern const int8_t qz_iq4_values[16];
extern const float qz_iq4_middles[15];
void qz_iq4_nl_finish(const float *x, const float *scales, uint8_t *out);
void qz_iq4_xs_finish(const float *x, const float *scales, uint8_t *out);
/* Σ x², in order. */
float qz_sum_squares(const float *x, size_t n);
#endif
