/* What AVX2 + FMA + F16C changes. */
#include "codecs/types.h"
#include "kernels/ops.h"
#include "kernels/ops_int.h"

void qz_ops_avx2(qz_ops *ops) {
    ops->level = QZ_CPU_AVX2;
    ops->tile_rows = QZ_AVX2_ROWS;
    ops->tile_cols = QZ_AVX2_COLS;
#define QZ_OP(name, type) ops->name = qz_##name##_avx2;
#include "kernels/ops.def"
#undef QZ_OP
    ops->decode[QZ_TYPE_F16] = qz_decode_f16_avx2;
    ops->decode[QZ_TYPE_BF16] = qz_decode_bf16_avx2;
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_layout *l = qz_layout_get((qz_type)t);
        if (l && l->written) ops->dot[t] = l->elems == 256 ? qz_dot_written_256_avx2 : qz_dot_written_32_avx2;
    }
    ops->decode[QZ_TYPE_Q8_0] = qz_decode_q8_0_avx2;
    ops->decode[QZ_TYPE_Q4_0] = qz_decode_q4_0_avx2;
    ops->decode[QZ_TYPE_IQ2_XXS] = qz_decode_iq2_xxs_avx2;
    ops->decode[QZ_TYPE_IQ2_XS] = qz_decode_iq2_xs_avx2;
    ops->decode[QZ_TYPE_IQ2_S] = qz_decode_iq2_s_avx2;
    ops->decode[QZ_TYPE_IQ3_XXS] = qz_decode_iq3_xxs_avx2;
    ops->decode[QZ_TYPE_IQ3_S] = qz_decode_iq3_s_avx2;
    ops->dot[QZ_TYPE_Q4_1] = qz_dot_q4_1_avx2;
    ops->dot[QZ_TYPE_Q5_0] = qz_dot_q5_0_avx2;
    ops->dot[QZ_TYPE_Q5_1] = qz_dot_q5_1_avx2;
    ops->dot[QZ_TYPE_Q2_K] = qz_dot_q2_k_avx2;
    ops->dot[QZ_TYPE_Q3_K] = qz_dot_q3_k_avx2;
    ops->dot[QZ_TYPE_Q8_0] = qz_dot_q8_0_avx2;
    ops->dot[QZ_TYPE_Q4_0] = qz_dot_q4_0_avx2;
    ops->dot[QZ_TYPE_Q4_K] = qz_dot_q4_k_avx2;
    ops->dot[QZ_TYPE_Q5_K] = qz_dot_q5_k_avx2;
    ops->dot[QZ_TYPE_Q6_K] = qz_dot_q6_k_avx2;
    ops->encode[QZ_TYPE_Q4_0] = qz_encode_q4_0_avx2;
    ops->encode[QZ_TYPE_Q4_1] = qz_encode_q4_1_avx2;
    ops->encode[QZ_TYPE_Q5_0] = qz_encode_q5_0_avx2;
    ops->encode[QZ_TYPE_Q5_1] = qz_encode_q5_1_avx2;
    ops->encode[QZ_TYPE_Q8_0] = qz_encode_q8_0_avx2;
    ops->encode[QZ_TYPE_Q2_K] = qz_encode_q2_k_avx2;
    ops->encode[QZ_TYPE_Q3_K] = qz_encode_q3_k_avx2;
    ops->encode[QZ_TYPE_Q4_K] = qz_encode_q4_k_avx2;
    ops->encode[QZ_TYPE_Q5_K] = qz_encode_q5_k_avx2;
    ops->encode[QZ_TYPE_Q6_K] = qz_encode_q6_k_avx2;
    ops->encode[QZ_TYPE_IQ4_NL] = qz_encode_iq4_nl_avx2;
    ops->encode[QZ_TYPE_IQ4_XS] = qz_encode_iq4_xs_avx2;
    ops->encode[QZ_TYPE_IQ2_XXS] = qz_encode_iq2_xxs_avx2;
    ops->encode[QZ_TYPE_IQ2_XS] = qz_encode_iq2_xs_avx2;
    ops->encode[QZ_TYPE_IQ2_S] = qz_encode_iq2_s_avx2;
    ops->encode[QZ_TYPE_IQ3_XXS] = qz_encode_iq3_xxs_avx2;
    ops->encode[QZ_TYPE_IQ3_S] = qz_encode_iq3_s_avx2;
    ops->compat[QZ_TYPE_IQ3_S] = qz_encode_iq3_s_moved_avx2;
    ops->encode[QZ_TYPE_F16] = qz_encode_f16_avx2;
    ops->encode[QZ_TYPE_BF16] = qz_encode_bf16_avx2;
}
