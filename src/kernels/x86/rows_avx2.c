/* Rows of the forward pass, 8 values at a time, AVX2. */
#include <immintrin.h>
#include <stddef.h>

#define LEVEL(name) qz_##name##_avx2
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 8 };
typedef __m256 vf;

INLINE vf load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE vf all(float x) { return _mm256_set1_ps(x); }
INLINE vf less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE vf pick(vf m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
INLINE vf power(vf p, vf k) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_cvttps_epi32(k), 23)));
}
#include "kernels/x86/rows_lanes.h"
