/* Runtime products written out: decode, multiply, add in double. The faster levels stay within float
 * rounding of these. */
#include <string.h>
#include "base/half.h"
#include "codecs/types.h"
#include "kernels/ops_int.h"

void qz_dot_ref(const qz_layout *l, const uint8_t *panel, size_t blocks, const uint8_t *act, size_t tokens,
                float *out) {
    const bool wide = l->elems == 256;
    const size_t size = wide ? sizeof(qz_act256) : sizeof(qz_act32);
    float w[256];
    memset(out, 0, tokens * QZ_PANEL * sizeof *out);
    for (size_t b = 0; b < blocks; ++b, panel += l->block_bytes, act += tokens * size)
        for (size_t r = 0; r < QZ_PANEL; ++r) {
            qz_layout_values(l, panel, r, w);
            for (size_t t = 0; t < tokens; ++t) {
                const uint8_t *a = act + t * size;
                double sum = 0;
                for (size_t k = 0; k < l->elems; ++k) sum += (double)w[k] * (int8_t)a[k];
                sum *= (double)qz_load_f32le(a + (wide ? offsetof(qz_act256, d) : offsetof(qz_act32, d)));
                out[t * QZ_PANEL + r] += (float)sum;
            }
        }
}

static void fdot(qz_type type, QZ_FDOT_ARGS) {
    const size_t size = qz_type_get(type)->bytes;
    for (size_t t = 0; t < tokens; ++t)
        for (size_t r = 0; r < 4; ++r) {
            double sum = 0;
            float v;
            for (size_t k = 0; k < cols; ++k) {
                qz_type_get(type)->decode(w[r] + k * size, 1, &v);
                sum += (double)v * (double)x[t * ldx + k];
            }
            out[4 * t + r] = (float)sum;
        }
}
void qz_fdot_f32_ref(QZ_FDOT_ARGS) {
    fdot(QZ_TYPE_F32, w, x, ldx, tokens, cols, out);
}
void qz_fdot_f16_ref(QZ_FDOT_ARGS) {
    fdot(QZ_TYPE_F16, w, x, ldx, tokens, cols, out);
}
void qz_fdot_bf16_ref(QZ_FDOT_ARGS) {
    fdot(QZ_TYPE_BF16, w, x, ldx, tokens, cols, out);
}

float qz_halve_ref(const float *x, size_t cols, uint16_t *out) {
    uint32_t top = 0;
    for (size_t k = 0; k < cols; ++k)
        top = (qz_f32_bits(x[k]) & 0x7fffffffu) > top ? qz_f32_bits(x[k]) & 0x7fffffffu : top;
    const float up = qz_halve_factor(top);
    for (size_t k = 0; k < cols; ++k) out[k] = qz_f32_to_f16(x[k] * up);
    return 1 / up;
}
static void hdot(qz_type type, QZ_HDOT_ARGS) {
    for (size_t r = 0; r < rows; ++r, w += 2 * cols) {
        double sum = 0;
        float v;
        for (size_t k = 0; k < cols; ++k) {
            qz_type_get(type)->decode(w + 2 * k, 1, &v);
            sum += (double)v * (double)qz_f16_to_f32(x[k]);
        }
        out[r] = (float)sum * unit;
    }
}
void qz_hdot_f16_ref(QZ_HDOT_ARGS) { hdot(QZ_TYPE_F16, w, rows, cols, x, unit, out); }
void qz_hdot_bf16_ref(QZ_HDOT_ARGS) { hdot(QZ_TYPE_BF16, w, rows, cols, x, unit, out); }

static void ldot(uint32_t bits, const qz_group_call *j) {
    const size_t words = j->group_size * bits / 32, per_word = 32 / bits;
    const uint8_t *panel = j->panel;
    memset(j->out, 0, j->tokens * QZ_PANEL * sizeof *j->out);
    for (size_t b = 0; b < j->groups; ++b, panel += QZ_TABLE_HEAD + words * 4 * QZ_PANEL)
        for (size_t r = 0; r < QZ_PANEL; ++r)
            for (size_t t = 0; t < j->tokens; ++t) {
                double sum = 0;
                for (size_t k = 0; k < j->group_size; ++k) {
                    uint32_t v = qz_load_u32le(panel + QZ_TABLE_HEAD + (k / per_word * QZ_PANEL + r) * 4) >>
                                 (bits * (k % per_word));
                    sum += (bits == 8 ? (double)(int8_t)(v & 255) : (double)j->table[v & 15]) *
                           (double)j->x[t * j->ldx + b * j->group_size + k];
                }
                j->out[t * QZ_PANEL + r] += (float)((double)qz_load_f32le(panel + 4 * r) * sum);
            }
}
void qz_ldot_4_ref(const qz_group_call *j) { ldot(4, j); }
void qz_ldot_8_ref(const qz_group_call *j) { ldot(8, j); }
