/* Codes of a sub-block for a step and a minimum, and their error: the definition (op_types.h). */
#include "kernels/ops_int.h"

float qz_round_sub_ref(const qz_block_shape *s, const float *x, const float *w, float scale, float min, int16_t *q) {
    float inv = scale != 0 ? 1.0f / scale : 0, lo = (float)s->q_min, hi = (float)s->q_max, acc[8] = {0};
    for (size_t k = 0; k < s->sub_len; k += 8)
        for (size_t i = 0; i < 8; i++) {
            float c = (x[k + i] + min) * inv;
            c = c < lo ? lo : c > hi ? hi : c;
            c = c + 12582912.0f - 12582912.0f;
            float e = x[k + i] - (scale * c - min);
            acc[i] += w[k + i] * e * e;
            if (q) q[k + i] = (int16_t)c;
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}
