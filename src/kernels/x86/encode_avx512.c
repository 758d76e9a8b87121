/* Encoders of 16 sub-blocks at a time, AVX-512. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define LEVEL(name) qz_encode_##name##_avx512
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 16 };
typedef __m512 vf;
typedef __mmask16 vm;

INLINE vf zero(void) { return _mm512_setzero_ps(); }
INLINE vm less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm at_most(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE vm differ(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
INLINE vm and_(vm a, vm b) { return (vm)(a & b); }
INLINE vf pick(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf absolute(vf v) { return _mm512_abs_ps(v); }
INLINE vf nearest(vf v, int lo, int hi) {
    __m512i t = _mm512_castps_si512(v + 12582912.0f);
    __m512i q = _mm512_sub_epi32(_mm512_and_si512(t, _mm512_set1_epi32(0x7fffff)), _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_ps(_mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(lo)), _mm512_set1_epi32(hi)));
}
INLINE __m512i round_away(vf v) {
    v = _mm512_maskz_mov_ps(less(absolute(v), zero() + 4194304.0f), v);
    __m512i q = _mm512_cvttps_epi32(v);
    vf rest = v - _mm512_cvtepi32_ps(q);
    q = _mm512_mask_add_epi32(q, _mm512_cmp_ps_mask(rest, zero() + 0.5f, _CMP_GE_OQ), q, _mm512_set1_epi32(1));
    return _mm512_mask_sub_epi32(q, _mm512_cmp_ps_mask(rest, zero() - 0.5f, _CMP_LE_OQ), q, _mm512_set1_epi32(1));
}
INLINE void store_bytes(__m512i q, uint8_t *out) { _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(q)); }

#include "kernels/x86/encode_lanes.h"
