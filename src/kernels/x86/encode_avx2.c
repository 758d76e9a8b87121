/* Encoders of 8 sub-blocks at a time, AVX2. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define LEVEL(name) qz_encode_##name##_avx2
#define KERNEL(name) qz_##name##_avx2
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 8 };
typedef __m256 vf;
typedef __m256 vm;
typedef int32_t vi __attribute__((vector_size(4 * LANES), may_alias));

INLINE vf zero(void) { return _mm256_setzero_ps(); }
INLINE vm less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE vm at_most(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
INLINE vm differ(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
INLINE vm and_(vm a, vm b) { return _mm256_and_ps(a, b); }
INLINE vf pick(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
INLINE vf absolute(vf v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
INLINE vi nearest_int(vf v, int lo, int hi) {
    __m256i t = _mm256_castps_si256(v + 12582912.0f);
    __m256i q = _mm256_sub_epi32(_mm256_and_si256(t, _mm256_set1_epi32(0x7fffff)), _mm256_set1_epi32(0x400000));
    return (vi)_mm256_min_epi32(_mm256_max_epi32(q, _mm256_set1_epi32(lo)), _mm256_set1_epi32(hi));
}
INLINE vf nearest(vf v, int lo, int hi) { return _mm256_cvtepi32_ps((__m256i)nearest_int(v, lo, hi)); }
INLINE vi lookup(const int32_t *table, vi at) { return (vi)_mm256_i32gather_epi32(table, (__m256i)at, 4); }
INLINE uint32_t negative(vi v) { return (uint32_t)_mm256_movemask_ps((__m256)v); }
INLINE vf root(vf v) { return _mm256_sqrt_ps(v); }
INLINE __m256i round_away(vf v) {
    v = _mm256_and_ps(less(absolute(v), zero() + 4194304.0f), v);
    __m256i q = _mm256_cvttps_epi32(v);
    vf rest = v - _mm256_cvtepi32_ps(q);
    q = _mm256_sub_epi32(q, _mm256_castps_si256(_mm256_cmp_ps(rest, zero() + 0.5f, _CMP_GE_OQ))); /* true is -1 */
    return _mm256_add_epi32(q, _mm256_castps_si256(_mm256_cmp_ps(rest, zero() - 0.5f, _CMP_LE_OQ)));
}
INLINE void store_bytes(__m256i q, uint8_t *out) {
    __m256i p = _mm256_packs_epi16(_mm256_packs_epi32(q, q), _mm256_setzero_si256());
    _mm_storel_epi64((__m128i *)out, _mm_unpacklo_epi32(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1)));
}
INLINE __m256i nibbles(vf v) {
    const __m256i b = _mm256_srai_epi32(_mm256_slli_epi32(_mm256_cvttps_epi32(v), 24), 24);
    return _mm256_and_si256(_mm256_min_epi32(b, _mm256_set1_epi32(15)), _mm256_set1_epi32(15));
}
INLINE uint32_t bits(vm m) { return (uint32_t)_mm256_movemask_ps(m); }
INLINE float most(vf v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
typedef __m256d vd;
INLINE vf clamp(vf v, vf lo, vf hi) { return _mm256_min_ps(hi, _mm256_max_ps(lo, v)); }
INLINE vf as_half(vf v) {
    const vf h = _mm256_cvtph_ps(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return pick(less(absolute(h), zero() + INFINITY), h, zero());
}
INLINE vd wide(vf v, int half) {
    return _mm256_cvtps_pd(half ? _mm256_extractf128_ps(v, 1) : _mm256_castps256_ps128(v));
}
INLINE vf narrow(vd lo, vd hi) { return _mm256_set_m128(_mm256_cvtpd_ps(hi), _mm256_cvtpd_ps(lo)); }
INLINE vd divide(vd x, vd y, vd other) {
    return _mm256_blendv_pd(other, x / y, _mm256_cmp_pd(y, _mm256_setzero_pd(), _CMP_GT_OQ));
}

#include "kernels/x86/encode_lanes.h"
#include "kernels/x86/refine_lanes.h"
#include "kernels/x86/iq_lanes.h"
