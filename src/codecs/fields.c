#include "codecs/fields.h"
#include "codecs/book.h"
#include "codecs/fp4.h"
#include "codecs/k_common.h"
#include "codecs/types.h"

const qz_block_shape *qz_block_shape_get(qz_type t) {
    static const qz_block_shape q4_0 = {1, 32, -8, 7, 1, 1, 0, false, 1, NULL},
                                q4_1 = {1, 32, 0, 15, 1, 1, 0, true, 1, NULL},
                                q5_0 = {1, 32, -16, 15, 1, 1, 0, false, 1, NULL},
                                q5_1 = {1, 32, 0, 31, 1, 1, 0, true, 1, NULL},
                                q8_0 = {1, 32, -128, 127, 1, 1, 0, false, 1, NULL},
                                q2_k = {16, 16, 0, 3, 0, 15, 15, false, 1, NULL},
                                q3_k = {16, 16, -4, 3, -32, 31, 0, false, 1, NULL},
                                q4_k = {8, 32, 0, 15, 0, 63, 63, false, 1, NULL},
                                q5_k = {8, 32, 0, 31, 0, 63, 63, false, 1, NULL},
                                q6_k = {16, 16, -32, 31, -128, 127, 0, false, 1, NULL};
    switch ((int)t) {
    case QZ_TYPE_Q4_0: return &q4_0;
    case QZ_TYPE_Q4_1: return &q4_1;
    case QZ_TYPE_Q5_0: return &q5_0;
    case QZ_TYPE_Q5_1: return &q5_1;
    case QZ_TYPE_Q8_0: return &q8_0;
    case QZ_TYPE_Q2_K: return &q2_k;
    case QZ_TYPE_Q3_K: return &q3_k;
    case QZ_TYPE_Q4_K: return &q4_k;
    case QZ_TYPE_Q5_K: return &q5_k;
    case QZ_TYPE_Q6_K: return &q6_k;
    default: return qz_book_shape(t);
    }
}

float qz_block_scale(const qz_block_shape *s, int sc) {
    return s->book && s->book->sc == QZ_SC_E4M3 ? qz_ue4m3_half((uint8_t)sc) : (float)sc;
}

/* ---- one scale (and float minimum) for 32 values ---- */
static void legacy_unpack(const uint8_t *p, bool min, bool fifth, int zero, qz_block_fields *f) {
    const uint8_t *qs = p + 2 + (min ? 2 : 0);
    uint32_t high = fifth ? qz_load_u32le(qs) : 0;
    if (fifth) qs += 4;
    f->d = qz_f16_at(p);
    f->dmin = min ? qz_f16_at(p + 2) : 0;
    f->sc[0] = 1;
    f->m[0] = min ? -1 : 0;
    for (size_t j = 0; j < 32; ++j) {
        int c = j < 16 ? qs[j] & 15 : qs[j - 16] >> 4;
        f->q[j] = (int16_t)((c | (int)(high >> j & 1u) << 4) - zero);
    }
}
static void legacy_pack(const qz_block_fields *f, bool min, bool fifth, int zero, uint8_t *p) {
    uint8_t *qs = p + 2 + (min ? 2 : 0);
    uint32_t high = 0;
    qz_f16_put(p, f->d);
    if (min) qz_f16_put(p + 2, f->dmin);
    for (size_t j = 0; fifth && j < 32; ++j) high |= ((uint32_t)(f->q[j] + zero) >> 4 & 1u) << j;
    if (fifth) {
        qz_store_u32le(qs, high);
        qs += 4;
    }
    for (size_t j = 0; j < 16; ++j) qs[j] = (uint8_t)(((f->q[j] + zero) & 15) | ((f->q[j + 16] + zero) & 15) << 4);
}

static void q8_0_unpack(const uint8_t *p, qz_block_fields *f) {
    f->d = qz_f16_at(p);
    f->dmin = 0;
    f->sc[0] = 1;
    f->m[0] = 0;
    for (size_t j = 0; j < 32; ++j) f->q[j] = (int8_t)p[2 + j];
}
static void q8_0_pack(const qz_block_fields *f, uint8_t *p) {
    qz_f16_put(p, f->d);
    for (size_t j = 0; j < 32; ++j) p[2 + j] = (uint8_t)f->q[j];
}

/* ---- super-blocks ---- */
static void q2_unpack(const uint8_t *p, qz_block_fields *f) {
    f->d = qz_f16_at(p + 80);
    f->dmin = qz_f16_at(p + 82);
    for (size_t b = 0; b < 16; ++b) f->sc[b] = p[b] & 15, f->m[b] = p[b] >> 4;
    for (size_t e = 0; e < 256; ++e) f->q[e] = p[16 + e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2) & 3;
}
static void q2_pack(const qz_block_fields *f, uint8_t *p) {
    memset(p, 0, 84);
    for (size_t b = 0; b < 16; ++b) p[b] = (uint8_t)(f->sc[b] | f->m[b] << 4);
    for (size_t e = 0; e < 256; ++e) p[16 + e / 128 * 32 + e % 32] |= (uint8_t)(f->q[e] << (e % 128 / 32 * 2));
    qz_f16_put(p + 80, f->d);
    qz_f16_put(p + 82, f->dmin);
}
static void q3_unpack(const uint8_t *p, qz_block_fields *f) {
    const uint8_t *s = p + 96;
    f->d = qz_f16_at(p + 108);
    f->dmin = 0;
    for (size_t b = 0; b < 16; ++b) {
        int low = b < 8 ? s[b] & 15 : s[b - 8] >> 4;
        f->sc[b] = (int16_t)((low | (s[8 + b % 4] >> (b / 4 * 2) & 3) << 4) - 32);
        f->m[b] = 0;
    }
    for (size_t e = 0; e < 256; ++e)
        f->q[e] = (int16_t)((p[32 + e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2) & 3) +
                            (p[e % 32] >> (e / 32) & 1) * 4 - 4);
}
static void q3_pack(const qz_block_fields *f, uint8_t *p) {
    memset(p, 0, 110);
    for (size_t b = 0; b < 16; ++b) {
        int c = f->sc[b] + 32;
        p[96 + b % 8] |= (uint8_t)((c & 15) << (b < 8 ? 0 : 4));
        p[104 + b % 4] |= (uint8_t)((c >> 4) << (b / 4 * 2));
    }
    for (size_t e = 0; e < 256; ++e) {
        int c = f->q[e] + 4;
        p[e % 32] |= (uint8_t)((c >> 2) << (e / 32));
        p[32 + e / 128 * 32 + e % 32] |= (uint8_t)((c & 3) << (e % 128 / 32 * 2));
    }
    qz_f16_put(p + 108, f->d);
}
static void k45_unpack(const uint8_t *p, bool fifth, qz_block_fields *f) {
    const uint8_t *qs = p + QZ_K45_HEAD + (fifth ? 32 : 0);
    f->d = qz_f16_at(p);
    f->dmin = qz_f16_at(p + 2);
    for (size_t b = 0; b < 8; ++b) {
        int sc, m;
        qz_k_pair(p + 4, b, &sc, &m);
        f->sc[b] = (int16_t)sc;
        f->m[b] = (int16_t)m;
        for (size_t l = 0; l < 32; ++l)
            f->q[32 * b + l] = (int16_t)((qs[32 * (b / 2) + l] >> (b % 2 * 4) & 15) |
                                         (fifth ? (p[QZ_K45_HEAD + l] >> b & 1) << 4 : 0));
    }
}
static void k45_pack(const qz_block_fields *f, bool fifth, uint8_t *p) {
    uint8_t *qs = p + QZ_K45_HEAD + (fifth ? 32 : 0), sc[8], m[8];
    for (size_t b = 0; b < 8; ++b) sc[b] = (uint8_t)f->sc[b], m[b] = (uint8_t)f->m[b];
    qz_f16_put(p, f->d);
    qz_f16_put(p + 2, f->dmin);
    qz_k_put_pairs(sc, m, p + 4);
    memset(p + QZ_K45_HEAD, 0, 128 + (fifth ? 32 : 0));
    for (size_t b = 0; b < 8; ++b)
        for (size_t l = 0; l < 32; ++l) {
            int c = f->q[32 * b + l];
            qs[32 * (b / 2) + l] |= (uint8_t)((c & 15) << (b % 2 * 4));
            if (fifth) p[QZ_K45_HEAD + l] |= (uint8_t)((c >> 4) << b);
        }
}
/* Value e of half n: byte and nibble of ql, bits of qh. */
static void q6_place(size_t e, size_t *ql, unsigned *nibble, size_t *qh, unsigned *bits) {
    size_t n = e / 128, r = e % 128, l = r % 32, k = r / 32;
    *ql = 64 * n + l + (k & 1) * 32;
    *nibble = k < 2 ? 0 : 4;
    *qh = 128 + 32 * n + l;
    *bits = (unsigned)(2 * k);
}
static void q6_unpack(const uint8_t *p, qz_block_fields *f) {
    f->d = qz_f16_at(p + 208);
    f->dmin = 0;
    for (size_t b = 0; b < 16; ++b) f->sc[b] = (int8_t)p[192 + b], f->m[b] = 0;
    for (size_t e = 0; e < 256; ++e) {
        size_t ql, qh;
        unsigned nibble, bits;
        q6_place(e, &ql, &nibble, &qh, &bits);
        f->q[e] = (int16_t)(((p[ql] >> nibble & 15) | (p[qh] >> bits & 3) << 4) - 32);
    }
}
static void q6_pack(const qz_block_fields *f, uint8_t *p) {
    memset(p, 0, 210);
    for (size_t b = 0; b < 16; ++b) p[192 + b] = (uint8_t)f->sc[b];
    for (size_t e = 0; e < 256; ++e) {
        size_t ql, qh;
        unsigned nibble, bits;
        q6_place(e, &ql, &nibble, &qh, &bits);
        int c = f->q[e] + 32;
        p[ql] |= (uint8_t)((c & 15) << nibble);
        p[qh] |= (uint8_t)((c >> 4) << bits);
    }
    qz_f16_put(p + 208, f->d);
}

void qz_block_unpack(qz_type t, const void *block, qz_block_fields *f) {
    const uint8_t *p = block;
    switch ((int)t) {
    case QZ_TYPE_Q4_0: legacy_unpack(p, false, false, 8, f); break;
    case QZ_TYPE_Q4_1: legacy_unpack(p, true, false, 0, f); break;
    case QZ_TYPE_Q5_0: legacy_unpack(p, false, true, 16, f); break;
    case QZ_TYPE_Q5_1: legacy_unpack(p, true, true, 0, f); break;
    case QZ_TYPE_Q8_0: q8_0_unpack(p, f); break;
    case QZ_TYPE_Q2_K: q2_unpack(p, f); break;
    case QZ_TYPE_Q3_K: q3_unpack(p, f); break;
    case QZ_TYPE_Q4_K: k45_unpack(p, false, f); break;
    case QZ_TYPE_Q5_K: k45_unpack(p, true, f); break;
    case QZ_TYPE_Q6_K: q6_unpack(p, f); break;
    default: qz_book_unpack(t, p, f); break;
    }
}
void qz_block_pack(qz_type t, const qz_block_fields *f, void *block) {
    uint8_t *p = block;
    switch ((int)t) {
    case QZ_TYPE_Q4_0: legacy_pack(f, false, false, 8, p); break;
    case QZ_TYPE_Q4_1: legacy_pack(f, true, false, 0, p); break;
    case QZ_TYPE_Q5_0: legacy_pack(f, false, true, 16, p); break;
    case QZ_TYPE_Q5_1: legacy_pack(f, true, true, 0, p); break;
    case QZ_TYPE_Q8_0: q8_0_pack(f, p); break;
    case QZ_TYPE_Q2_K: q2_pack(f, p); break;
    case QZ_TYPE_Q3_K: q3_pack(f, p); break;
    case QZ_TYPE_Q4_K: k45_pack(f, false, p); break;
    case QZ_TYPE_Q5_K: k45_pack(f, true, p); break;
    case QZ_TYPE_Q6_K: q6_pack(f, p); break;
    default: qz_book_pack(t, f, p); break;
    }
}
