/* What AVX-512 (F, BW, DQ, VL, VNNI) changes. */
#include "codecs/types.h"
#include "kernels/ops.h"
#include "kernels/ops_int.h"

void qz_ops_avx512(qz_ops *ops) {
    ops->level = QZ_CPU_AVX512;
    ops->tile_rows = QZ_AVX512_ROWS;
    ops->tile_cols = QZ_AVX512_COLS;
    ops->gemm_tile = qz_gemm_tile_avx512;
    ops->transpose = qz_transpose_avx512;
    ops->dsub = qz_dsub_avx512;
    ops->add_rows = qz_add_rows_avx512;
    ops->fdot_f32 = qz_fdot_f32_avx512;
    ops->fdot_f16 = qz_fdot_f16_avx512;
    ops->fdot_bf16 = qz_fdot_bf16_avx512;
    ops->hdot_f16 = qz_hdot_f16_avx512;
    ops->hdot_bf16 = qz_hdot_bf16_avx512;
    ops->ldot_4 = qz_ldot_4_avx512;
    ops->ldot_8 = qz_ldot_8_avx512;
    ops->sdot_e4m3 = qz_sdot_e4m3_avx512;
    ops->sdot_e5m2 = qz_sdot_e5m2_avx512;
    ops->qdot_e2m1 = qz_qdot_e2m1_avx512;
    ops->qdot_4 = qz_qdot_4_avx512;
    ops->qdot_8 = qz_qdot_8_avx512;
    ops->softmax = qz_softmax_avx512;
    ops->rms_norm = qz_rms_norm_avx512;
    ops->silu_mul = qz_silu_mul_avx512;
    ops->all_finite = qz_all_finite_avx512;
    ops->exp_sum = qz_exp_sum_avx512;
    ops->kl_sums = qz_kl_sums_avx512;
    ops->refine_sym = qz_refine_sym_avx512;
    ops->decode[QZ_TYPE_F16] = qz_decode_f16_avx512;
    ops->decode[QZ_TYPE_BF16] = qz_decode_bf16_avx512;
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_layout *l = qz_layout_get((qz_type)t);
        if (l && l->written) ops->dot[t] = l->elems == 256 ? qz_dot_written_256_avx512 : qz_dot_written_32_avx512;
    }
    ops->dot[QZ_TYPE_Q4_1] = qz_dot_q4_1_avx512;
    ops->dot[QZ_TYPE_Q5_0] = qz_dot_q5_0_avx512;
    ops->dot[QZ_TYPE_Q5_1] = qz_dot_q5_1_avx512;
    ops->dot[QZ_TYPE_Q2_K] = qz_dot_q2_k_avx512;
    ops->dot[QZ_TYPE_Q3_K] = qz_dot_q3_k_avx512;
    ops->dot[QZ_TYPE_Q8_0] = qz_dot_q8_0_avx512;
    ops->dot[QZ_TYPE_Q4_0] = qz_dot_q4_0_avx512;
    ops->dot[QZ_TYPE_Q4_K] = qz_dot_q4_k_avx512;
    ops->dot[QZ_TYPE_Q5_K] = qz_dot_q5_k_avx512;
    ops->dot[QZ_TYPE_Q6_K] = qz_dot_q6_k_avx512;
    ops->encode[QZ_TYPE_Q4_0] = qz_encode_q4_0_avx512;
    ops->encode[QZ_TYPE_Q4_1] = qz_encode_q4_1_avx512;
    ops->encode[QZ_TYPE_Q5_0] = qz_encode_q5_0_avx512;
    ops->encode[QZ_TYPE_Q5_1] = qz_encode_q5_1_avx512;
    ops->encode[QZ_TYPE_Q8_0] = qz_encode_q8_0_avx512;
    ops->encode[QZ_TYPE_Q2_K] = qz_encode_q2_k_avx512;
    ops->encode[QZ_TYPE_Q3_K] = qz_encode_q3_k_avx512;
    ops->encode[QZ_TYPE_Q4_K] = qz_encode_q4_k_avx512;
    ops->encode[QZ_TYPE_Q5_K] = qz_encode_q5_k_avx512;
    ops->encode[QZ_TYPE_Q6_K] = qz_encode_q6_k_avx512;
    ops->encode[QZ_TYPE_IQ4_NL] = qz_encode_iq4_nl_avx512;
    ops->encode[QZ_TYPE_IQ4_XS] = qz_encode_iq4_xs_avx512;
    ops->encode[QZ_TYPE_IQ2_XXS] = qz_encode_iq2_xxs_avx512;
    ops->encode[QZ_TYPE_IQ2_XS] = qz_encode_iq2_xs_avx512;
    ops->encode[QZ_TYPE_IQ2_S] = qz_encode_iq2_s_avx512;
    ops->encode[QZ_TYPE_IQ3_XXS] = qz_encode_iq3_xxs_avx512;
    ops->encode[QZ_TYPE_IQ3_S] = qz_encode_iq3_s_avx512;
    ops->compat[QZ_TYPE_IQ3_S] = qz_encode_iq3_s_moved_avx512;
}
