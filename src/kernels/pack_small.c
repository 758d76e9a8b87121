/* Small floats into panels (op_types.h). E2M1 keeps four bits where a 16-bit float holds its scales: powers of two, or
 * E4M3 under a scale of the tensor. All others get a byte and float32 scales: E2M1 and E2M3 values are E4M3 values. */
#include <math.h>
#include <string.h>
#include "base/bytes.h"
#include "base/half.h"
#include "codecs/scaled_float.h"
#include "kernels/mm_int.h"

/* What the kernels read E4M3 codes too small by. */
static float small_unit(const qz_packed *p) { return p->codes.element == QZ_E5M2 ? 1 : 256; }

static float scale_of(const qz_packed *p, size_t row, size_t group) {
    int zero;
    return p->w.coded->ops->scale(p->w.coded, p->w.first_row + row, group, &zero);
}
static bool under_tensor(const qz_code_layout *l) {
    return l->stored == QZ_SCALE_E4M3 || l->stored == QZ_SCALE_E4M3_TIMES;
}
static float own_scale(const qz_code_layout *l, float scale) { /* E4M3, of what multiplies */
    return qz_small_decode(QZ_E4M3FN, qz_scale_byte(l->stored, l->tensor, scale));
}

/* Do 16 bits say the scale of every group? */
static bool halves_fit(const qz_packed *p) {
    const qz_code_layout *l = &p->codes;
    if (l->stored != QZ_SCALE_E8M0 && !under_tensor(l)) return false;
    for (size_t r = 0; r < p->w.rows; ++r)
        for (size_t g = 0; g < l->groups; ++g) {
            const float s = scale_of(p, r, g);
            if (under_tensor(l) ? qz_scale_under(l->stored, l->tensor, own_scale(l, s)) != s
                                : qz_bf16_to_f32(qz_f32_to_bf16(s)) != s)
                return false;
        }
    return true;
}
static bool singles_fit(const qz_packed *p) {
    for (size_t r = 0; r < p->w.rows; ++r)
        for (size_t g = 0; g < p->codes.groups; ++g)
            if (!isfinite(scale_of(p, r, g) * small_unit(p))) return false;
    return true;
}

/* int32 sums of 24 · 32767 */
enum { LONGEST_E2M1 = 1024 };

qz_pack_kind qz_small_kind(const qz_packed *p) {
    const qz_code_layout *l = &p->codes;
    if (!l->group || l->group % 4 != 0 || l->groups * l->group != p->w.cols) return QZ_PACK_EXACT;
    if (l->element == QZ_E2M1 && l->group % 8 == 0 && l->group <= LONGEST_E2M1 && halves_fit(p)) return QZ_PACK_E2M1;
    return singles_fit(p) ? QZ_PACK_SMALL : QZ_PACK_EXACT;
}
size_t qz_small_block_bytes(const qz_packed *p) {
    return p->kind == QZ_PACK_E2M1 ? QZ_E2M1_HEAD + p->codes.group / 2 * QZ_PANEL
                                   : QZ_TABLE_HEAD + p->codes.group * QZ_PANEL;
}

float qz_small_unit(const qz_packed *p) {
    const qz_code_layout *l = &p->codes;
    return p->kind == QZ_PACK_E2M1 && under_tensor(l) ? qz_scale_under(l->stored, l->tensor, 1) : 1;
}

static void pack_e2m1_group(const qz_packed *p, float scale, size_t lane, const uint8_t *codes, uint8_t *block) {
    const uint16_t head = under_tensor(&p->codes) ? qz_f32_to_f16(own_scale(&p->codes, scale)) : qz_f32_to_bf16(scale);
    memcpy(block + 2 * lane, &head, 2);
    for (size_t w = 0; w < p->codes.group / 8; ++w, codes += 8) {
        uint32_t word = 0;
        for (size_t k = 0; k < 8; ++k) word |= (uint32_t)codes[k] << QZ_NIBBLE(k);
        memcpy(block + QZ_E2M1_HEAD + (w * QZ_PANEL + lane) * 4, &word, 4);
    }
}
static void pack_byte_group(const qz_packed *p, float scale, size_t lane, const uint8_t *codes, uint8_t *block) {
    qz_store_f32le(block + 4 * lane, scale * small_unit(p));
    block += QZ_TABLE_HEAD + 2 * lane;
    for (size_t k = 0; k < p->codes.group; k += 2, block += 2 * QZ_PANEL) memcpy(block, codes + k, 2);
}

void qz_small_pack_row(const qz_packed *p, size_t row, uint8_t *codes, uint8_t *panel) {
    const qz_code_layout *l = &p->codes;
    uint8_t as_e4m3[64];
    if (p->kind == QZ_PACK_SMALL && l->bits < 8) {
        for (unsigned c = 0; c < 1u << l->bits; ++c)
            as_e4m3[c] = qz_small_encode(QZ_E4M3FN, qz_small_decode(l->element, (uint8_t)c));
        for (size_t k = 0; k < p->w.cols; ++k) codes[k] = as_e4m3[codes[k]];
    }
    for (size_t g = 0; g < l->groups; ++g, codes += l->group, panel += p->block_bytes)
        (p->kind == QZ_PACK_E2M1 ? pack_e2m1_group : pack_byte_group)(p, scale_of(p, row, g), row % QZ_PANEL, codes,
                                                                      panel);
}
