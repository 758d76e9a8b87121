/* Encoders of 16 sub-blocks at a time, AVX-512. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define LEVEL(name) qz_encode_##name##_avx512
#define KERNEL(name) qz_##name##_avx512
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 16 };
typedef __m512 vf;
typedef __mmask16 vm;
typedef int32_t vi __attribute__((vector_size(4 * LANES), may_alias));

INLINE vf zero(void) { return _mm512_setzero_ps(); }
INLINE vm less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm at_most(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE vm differ(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
INLINE vm and_(vm a, vm b) { return (vm)(a & b); }
INLINE vf pick(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf absolute(vf v) { return _mm512_abs_ps(v); }
INLINE vi nearest_int(vf v, int lo, int hi) {
    __m512i t = _mm512_castps_si512(v + 12582912.0f);
    __m512i q = _mm512_sub_epi32(_mm512_and_si512(t, _mm512_set1_epi32(0x7fffff)), _mm512_set1_epi32(0x400000));
    return (vi)_mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(lo)), _mm512_set1_epi32(hi));
}
INLINE vf nearest(vf v, int lo, int hi) { return _mm512_cvtepi32_ps((__m512i)nearest_int(v, lo, hi)); }
INLINE vi lookup(const int32_t *table, vi at) { return (vi)_mm512_i32gather_epi32((__m512i)at, table, 4); }
INLINE uint32_t negative(vi v) { return _mm512_movepi32_mask((__m512i)v); }
INLINE vf root(vf v) { return _mm512_sqrt_ps(v); }
INLINE __m512i round_away(vf v) {
    v = _mm512_maskz_mov_ps(less(absolute(v), zero() + 4194304.0f), v);
    __m512i q = _mm512_cvttps_epi32(v);
    vf rest = v - _mm512_cvtepi32_ps(q);
    q = _mm512_mask_add_epi32(q, _mm512_cmp_ps_mask(rest, zero() + 0.5f, _CMP_GE_OQ), q, _mm512_set1_epi32(1));
    return _mm512_mask_sub_epi32(q, _mm512_cmp_ps_mask(rest, zero() - 0.5f, _CMP_LE_OQ), q, _mm512_set1_epi32(1));
}
INLINE void store_bytes(__m512i q, uint8_t *out) { _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(q)); }
INLINE __m512i nibbles(vf v) {
    const __m512i b = _mm512_srai_epi32(_mm512_slli_epi32(_mm512_cvttps_epi32(v), 24), 24);
    return _mm512_and_si512(_mm512_min_epi32(b, _mm512_set1_epi32(15)), _mm512_set1_epi32(15));
}
INLINE uint32_t bits(vm m) { return m; }
INLINE float most(vf v) { return _mm512_reduce_max_ps(v); }
typedef __m512d vd;
INLINE vf clamp(vf v, vf lo, vf hi) { return _mm512_min_ps(hi, _mm512_max_ps(lo, v)); }
INLINE vf as_half(vf v) {
    const vf h = _mm512_cvtph_ps(_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return pick(less(absolute(h), zero() + INFINITY), h, zero());
}
INLINE vd wide(vf v, int half) {
    return _mm512_cvtps_pd(half ? _mm512_extractf32x8_ps(v, 1) : _mm512_castps512_ps256(v));
}
INLINE vf narrow(vd lo, vd hi) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)), _mm512_cvtpd_ps(hi), 1);
}
INLINE vd divide(vd x, vd y, vd other) {
    return _mm512_mask_div_pd(other, _mm512_cmp_pd_mask(y, _mm512_setzero_pd(), _CMP_GT_OQ), x, y);
}

#include "kernels/x86/encode_lanes.h"
#include "kernels/x86/refine_lanes.h"
#include "kernels/x86/iq_lanes.h"
