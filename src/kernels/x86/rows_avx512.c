/* Rows of the forward pass, 16 values at a time, AVX-512. */
#include <immintrin.h>
#include <stddef.h>

#define LEVEL(name) qz_##name##_avx512
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 16 };
typedef __m512 vf;

INLINE vf load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE vf all(float x) { return _mm512_set1_ps(x); }
INLINE __mmask16 less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vf pick(__mmask16 m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf power(vf p, vf k) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_cvttps_epi32(k), 23)));
}
#include "kernels/x86/rows_lanes.h"
