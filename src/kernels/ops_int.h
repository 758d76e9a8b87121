/* Names of the functions behind the table, one group per level. Only ref/, x86/ and the table builders include this. */
#ifndef QZ_KERNELS_OPS_INT_H
#define QZ_KERNELS_OPS_INT_H
#include <math.h>
#include "base/bytes.h"
#include "kernels/op_types.h"

enum {
    QZ_REF_ROWS = 4,
    QZ_REF_COLS = 16,
    QZ_AVX2_ROWS = 6,
    QZ_AVX2_COLS = 16,
    QZ_AVX512_ROWS = 12,
    QZ_AVX512_COLS = 32
};

/* Every operation of ops.def at every level: qz_<name>_<level>. A level that keeps the one below defines nothing. */
#define QZ_DOT_ARGS                                                                                               \
    const qz_layout *l, const uint8_t *panel, size_t blocks, const uint8_t *act, size_t tokens, float *out
#define QZ_FDOT_ARGS const uint8_t *const w[4], const float *x, size_t ldx, size_t tokens, size_t cols, float *out
#define QZ_HDOT_ARGS const uint8_t *w, size_t rows, size_t cols, const uint16_t *x, float unit, float *out
#define QZ_LEVEL(level)                                                                                               \
    void qz_gemm_tile_##level(size_t mr, size_t kc, const qz_tile *t, bool load);                                     \
    void qz_transpose_##level(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t dst_stride);     \
    void qz_dsub_##level(const qz_dproduct *d);                                                                       \
    void qz_add_rows_##level(float *y, size_t n, const float *x, size_t ld, const qz_row_step *steps, size_t n_steps); \
    void qz_act_q8_0_##level(const float *x, size_t cols, uint8_t *out, size_t stride);                               \
    void qz_act_q8_k_##level(const float *x, size_t cols, uint8_t *out, size_t stride);                               \
    void qz_fdot_f32_##level(QZ_FDOT_ARGS);                                                                           \
    void qz_fdot_f16_##level(QZ_FDOT_ARGS);                                                                           \
    void qz_fdot_bf16_##level(QZ_FDOT_ARGS);                                                                          \
    float qz_halve_##level(const float *x, size_t cols, uint16_t *out);                                               \
    void qz_hdot_f16_##level(QZ_HDOT_ARGS);                                                                           \
    void qz_hdot_bf16_##level(QZ_HDOT_ARGS);                                                                          \
    void qz_ldot_4_##level(const qz_group_call *j);                                                                   \
    void qz_ldot_8_##level(const qz_group_call *j);                                                                   \
    void qz_sdot_e4m3_##level(const qz_group_call *j);                                                                \
    void qz_sdot_e5m2_##level(const qz_group_call *j);                                                                \
    void qz_act_16_##level(const float *x, size_t steps, size_t step, int16_t *q, qz_act16 *act);                     \
    void qz_qdot_e2m1_##level(const qz_qdot_call *j);                                                                 \
    void qz_qdot_4_##level(const qz_qdot_call *j);                                                                    \
    void qz_qdot_8_##level(const qz_qdot_call *j);                                                                    \
    void qz_softmax_##level(float *s, size_t n, size_t lo, size_t hi, float scale);                                   \
    void qz_rms_norm_##level(const float *x, const float *w, size_t n, float eps, float *y);                          \
    void qz_silu_mul_##level(float *g, const float *u, size_t n);                                                     \
    bool qz_all_finite_##level(const float *x, size_t n);                                                             \
    double qz_exp_sum_##level(const float *x, size_t n, float *max);                                                  \
    void qz_kl_sums_##level(const float *a, const float *b, size_t n, float base, double out[2]);                     \
    float qz_round_sub_##level(const qz_block_shape *s, const float *x, const float *w, float scale, float min, \
                               int16_t *q);                                                                   \
    uint32_t qz_refine_sym_##level(const qz_block_shape *s, const float *x, const float *w, size_t n,                 \
                                   qz_block_fields *f);
/* Power of two for a largest magnitude given by its bits; 1 for zero and for what is not finite. */
static inline float qz_halve_factor(uint32_t top) {
    int e = (int)(top >> 23);
    if (e == 0 || e == 255) return 1;
    e = 127 + 14 - (e - 127);
    return qz_bits_f32((uint32_t)(e > 253 ? 253 : e) << 23);
}
/* The sum of the lanes of a row, and no exponent of all ones among the values: one pass that the
 * compiler vectorizes. */
static inline float qz_lane_sum(float t[QZ_ROW_LANES]) {
    for (int w = QZ_ROW_LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] += t[i + w];
    return t[0];
}
static inline double qz_wide_sum(const double t[QZ_WIDE_LANES]) {
    double sum = 0;
    for (int i = 0; i < QZ_WIDE_LANES; i++) sum += t[i];
    return sum;
}
static inline bool qz_finite_bits(const float *x, size_t n) {
    uint32_t wild = 0;
    for (size_t i = 0; i < n; i++) wild |= (qz_f32_bits(x[i]) & 0x7fffffffu) + 0x00800000u;
    return wild >> 31 == 0;
}
/* What a row is multiplied by. Squares that overflow would give zeros: NaN, which the caller finds. */
static inline float qz_rms_factor(float sum, size_t n, float eps) {
    return qz_f32_bits(sum) << 1 < 0xff000000u ? 1.0f / sqrtf(sum / (float)n + eps) : NAN;
}

QZ_LEVEL(ref)
QZ_LEVEL(avx2)
QZ_LEVEL(avx512)

void qz_dot_ref(QZ_DOT_ARGS); /* any layout */
#define QZ_LEVEL_DOTS(level)               \
    void qz_dot_q4_0_##level(QZ_DOT_ARGS); \
    void qz_dot_q8_0_##level(QZ_DOT_ARGS); \
    void qz_dot_q4_1_##level(QZ_DOT_ARGS); \
    void qz_dot_q5_0_##level(QZ_DOT_ARGS); \
    void qz_dot_q5_1_##level(QZ_DOT_ARGS); \
    void qz_dot_q2_k_##level(QZ_DOT_ARGS); \
    void qz_dot_q3_k_##level(QZ_DOT_ARGS); \
    void qz_dot_q4_k_##level(QZ_DOT_ARGS); \
    void qz_dot_q5_k_##level(QZ_DOT_ARGS); \
    void qz_dot_q6_k_##level(QZ_DOT_ARGS); \
    void qz_dot_written_256_##level(QZ_DOT_ARGS); \
    void qz_dot_written_32_##level(QZ_DOT_ARGS); \
    void qz_decode_f16_##level(const void *in, size_t cols, float *y); \
    void qz_decode_bf16_##level(const void *in, size_t cols, float *y);
void qz_decode_q8_0_avx2(const void *in, size_t cols, float *y);
void qz_decode_q4_0_avx2(const void *in, size_t cols, float *y);
void qz_decode_iq2_xxs_avx2(const void *in, size_t cols, float *y);
void qz_decode_iq2_xs_avx2(const void *in, size_t cols, float *y);
void qz_decode_iq2_s_avx2(const void *in, size_t cols, float *y);
void qz_decode_iq3_xxs_avx2(const void *in, size_t cols, float *y);
void qz_decode_iq3_s_avx2(const void *in, size_t cols, float *y);
QZ_LEVEL_DOTS(avx2)
QZ_LEVEL_DOTS(avx512)

#define QZ_ENCODER(name, level) \
    void qz_encode_##name##_##level(const float *x, const float *importance, size_t cols, void *out);
#define QZ_LEVEL_ENCODERS(level)                                            \
    QZ_ENCODER(q4_0, level) QZ_ENCODER(q4_1, level)                         \
    QZ_ENCODER(q5_0, level) QZ_ENCODER(q5_1, level) QZ_ENCODER(q8_0, level) \
    QZ_ENCODER(q2_k, level) QZ_ENCODER(q3_k, level)                         \
    QZ_ENCODER(q4_k, level) QZ_ENCODER(q5_k, level) QZ_ENCODER(q6_k, level) \
    QZ_ENCODER(iq4_nl, level) QZ_ENCODER(iq4_xs, level)                     \
    QZ_ENCODER(iq2_xxs, level) QZ_ENCODER(iq2_xs, level)                    \
    QZ_ENCODER(iq2_s, level) QZ_ENCODER(iq3_xxs, level)                     \
    QZ_ENCODER(iq3_s, level) QZ_ENCODER(iq3_s_moved, level)
QZ_LEVEL_ENCODERS(avx2)
QZ_LEVEL_ENCODERS(avx512)
QZ_ENCODER(f16, avx2)
QZ_ENCODER(bf16, avx2)
#endif
