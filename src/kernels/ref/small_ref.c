/* Small floats and integer groups times tokens, written out (op_types.h): the definition that all levels meet bit for
 * bit. */
#include <math.h>
#include <string.h>
#include "base/half.h"
#include "codecs/small_float.h"
#include "kernels/ops_int.h"

/* E4M3 comes 2^-8 of its value. */
static float half_of(bool e4m3, uint8_t code) {
    const uint32_t c = code;
    return qz_f16_to_f32((uint16_t)(e4m3 ? (c & 0x80) << 8 | (c & 0x7f) << 7 : c << 8));
}

static void sdot(bool e4m3, const qz_group_call *j) {
    const uint8_t *panel = j->panel;
    memset(j->out, 0, j->tokens * QZ_PANEL * sizeof *j->out);
    for (size_t g = 0; g < j->groups; ++g, panel += QZ_TABLE_HEAD + j->group_size * QZ_PANEL)
        for (size_t r = 0; r < QZ_PANEL; ++r)
            for (size_t t = 0; t < j->tokens; ++t) {
                const float *x = j->x + t * j->ldx + g * j->group_size;
                float c[QZ_CHAINS] = {0}, *out = j->out + t * QZ_PANEL + r;
                for (size_t k = 0; k < j->group_size; ++k) {
                    const uint8_t code = panel[QZ_TABLE_HEAD + k / 2 * 2 * QZ_PANEL + 2 * r + k % 2];
                    c[k % QZ_CHAINS] = fmaf(half_of(e4m3, code), x[k], c[k % QZ_CHAINS]);
                }
                *out = fmaf(qz_load_f32le(panel + 4 * r), (c[0] + c[1]) + (c[2] + c[3]), *out);
            }
}
void qz_sdot_e4m3_ref(const qz_group_call *j) { sdot(true, j); }
void qz_sdot_e5m2_ref(const qz_group_call *j) { sdot(false, j); }

void qz_act_16_ref(const float *x, size_t groups, size_t group_size, int16_t *q, qz_act16 *act) {
    for (size_t g = 0; g < groups; ++g, x += group_size, q += group_size) {
        const float most = 32767;
        float amax = 0;
        int32_t sum = 0;
        for (size_t k = 0; k < group_size; ++k) amax = fabsf(x[k]) > amax ? fabsf(x[k]) : amax;
        const float up = amax > 0x1p-100f ? most / amax : 0; /* smaller ones count as 0: their factor has no float */
        for (size_t k = 0; k < group_size; ++k) {
            const float v = x[k] * up + 12582912.0f; /* 1.5 * 2^23: the last bits are the number, half to even */
            q[k] = (int16_t)((int32_t)(qz_f32_bits(v) & 0x7fffffu) - 0x400000);
            sum += q[k];
        }
        act[g] = (qz_act16){amax / most, sum};
    }
}

/* Code k of a group of row r, as a whole number. */
typedef enum { E2M1, U4, U8 } form;
static int32_t whole(form f, const uint8_t *codes, size_t k, size_t r) {
    const size_t word = f == U8 ? k / 4 : k / 8;
    const uint32_t v = qz_load_u32le(codes + (word * QZ_PANEL + r) * 4);
    if (f == U8) return v >> QZ_BYTE(k % 4) & 255;
    const uint32_t c = v >> QZ_NIBBLE(k % 8) & 15;
    return f == U4 ? (int32_t)c : (int32_t)(2 * qz_small_decode(QZ_E2M1, (uint8_t)c));
}

/* Groups of row r times token t. */
static float qdot_row(form f, const qz_qdot_call *j, size_t r, size_t t) {
    const size_t steps = j->group_size / j->step, head = qz_qdot_head(f == E2M1, j->wide);
    const qz_act16 *act = j->act + t * j->groups * steps;
    const int16_t *q = j->q + t * j->groups * j->group_size;
    const uint8_t *panel = j->panel;
    float sum = 0;
    for (size_t g = 0; g < j->groups; ++g, panel += j->group_size * QZ_PANEL / (f == U8 ? 1 : 2)) {
        const uint8_t *at = panel;
        float in = 0;
        panel += head;
        for (size_t k = 0; k < j->group_size; k += j->step, ++act, q += j->step) {
            int32_t dot = 0;
            for (size_t i = 0; i < j->step; ++i) dot += whole(f, panel, k + i, r) * q[i];
            in = fmaf(act->d, (float)dot, in);
        }
        const float scale = j->wide  ? qz_load_f32le(at + 4 * r)
                            : j->brain ? qz_bf16_to_f32(qz_load_u16le(at + 2 * r))
                                       : qz_f16_to_f32(qz_load_u16le(at + 2 * r));
        if (f != E2M1) in = fmaf(-(float)at[head - QZ_QDOT_ZEROS + r], j->sums[t * j->groups + g], in);
        sum = fmaf(scale, in, sum);
    }
    return sum * j->unit;
}
static void qdot(form f, const qz_qdot_call *j) {
    for (size_t t = 0; t < j->tokens; ++t)
        for (size_t r = 0; r < QZ_PANEL; ++r) j->out[t * QZ_PANEL + r] = qdot_row(f, j, r, t);
}
void qz_qdot_e2m1_ref(const qz_qdot_call *j) { qdot(E2M1, j); }
void qz_qdot_4_ref(const qz_qdot_call *j) { qdot(U4, j); }
void qz_qdot_8_ref(const qz_qdot_call *j) { qdot(U8, j); }
