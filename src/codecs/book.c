/* Fields of table and code book types (book.h). */
#include "codecs/book.h"
#include "codecs/codecs_int.h"
#include "codecs/fp4.h"
#include "codecs/iq4.h"
#include "codecs/iq_form.h"
#include "codecs/types.h"

static const int8_t iq2[] = {-43, -25, -8, 8, 25, 43}, iq1[] = {-9, -7, -1, 1, 7, 9};
static const int8_t iq3xxs[] = {-62, -52, -44, -36, -28, -20, -12, -4, 4, 12, 20, 28, 36, 44, 52, 62};
static const int8_t iq3s[] = {-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15};
static const int8_t fp4[] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};
static const int8_t few[] = {-1, 0, 1, 2}, two[] = {-1, 1};

enum {
#define QZ_BOOK(id, ...) AT_##id,
#include "codecs/books.def"
#undef QZ_BOOK
    BOOKS
};
#define COUNT(a) (uint8_t)(sizeof(a) / sizeof *(a))
static const qz_block_book books[BOOKS] = {
#define QZ_BOOK(id, subs, len, q0, q1, s0, s1, unit, v, point, d, sc, grid, signs, shared) \
    [AT_##id] = {v, COUNT(v), point, d, sc, grid, signs, shared},
#include "codecs/books.def"
#undef QZ_BOOK
};
static const struct { qz_type type; qz_block_shape shape; } shapes[BOOKS] = {
#define QZ_BOOK(id, subs, len, q0, q1, s0, s1, unit, ...) \
    {QZ_TYPE_##id, {subs, len, q0, q1, s0, s1, 0, false, unit, &books[AT_##id]}},
#include "codecs/books.def"
#undef QZ_BOOK
};
const qz_block_shape *qz_book_shape(qz_type t) {
    for (size_t i = 0; i < BOOKS; ++i)
        if (shapes[i].type == t) return &shapes[i].shape;
    return NULL;
}

/* ---- points ---- */
static void magnitudes(const qz_iq_grid *g, size_t point, unsigned signs, int16_t *q) {
    const int8_t *v = g->values + point * g->size;
    for (size_t i = 0; i < g->size; ++i) q[i] = (int16_t)(signs >> i & 1u ? -v[i] : v[i]);
}
static void shifted(size_t point, bool down, int16_t *q) {
    for (size_t i = 0; i < 8; ++i) q[i] = (int16_t)(8 * qz_iq1_grid.values[point * 8 + i] + (down ? -1 : 1));
}
/* The point that holds the magnitudes of q, and its signs. */
static unsigned point_of(const qz_iq_grid *g, const int16_t *q, unsigned *signs) {
    uint8_t l[8];
    *signs = 0;
    for (size_t i = 0; i < g->size; ++i) {
        const int v = q[i] < 0 ? -q[i] : q[i];
        *signs |= (unsigned)(q[i] < 0) << i;
        if (g == &qz_iq3s_grid) l[i] = (uint8_t)(v / 2);
        else if (g == &qz_iq3xxs_grid) l[i] = (uint8_t)(v > 60 ? 7 : (v - 4) / 8);
        else l[i] = (uint8_t)((v > 8) + (v > 25));
    }
    const int32_t at = g->place[qz_iq_key(g, l)];
    return at < 0 ? 0 : (unsigned)at;
}
static unsigned shifted_of(const int16_t *q, bool *down) {
    uint8_t l[8];
    *down = q[0] == -9 || q[0] == -1 || q[0] == 7;
    for (size_t i = 0; i < 8; ++i) l[i] = (uint8_t)((q[i] + (*down ? 9 : 7)) / 8);
    const int32_t at = qz_iq1_grid.place[qz_iq_key(&qz_iq1_grid, l)];
    return at < 0 ? 0 : (unsigned)at;
}

/* ---- super-blocks ---- */
static const struct { qz_type type; const qz_iq_form *form; } forms[] = {
#define QZ_POINTS(id, form, ...) {QZ_TYPE_##id, &form},
#define QZ_BOOK(id, ...)
#include "codecs/books.def"
#undef QZ_POINTS
#undef QZ_BOOK
};
static const qz_iq_form *form_of(qz_type t) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i)
        if (forms[i].type == t) return forms[i].form;
    return NULL;
}
static void form_unpack(const qz_iq_form *t, const uint8_t *p, qz_block_fields *f) {
    const size_t size = t->grid->size;
    qz_iq_group g;
    for (size_t b = 0; b < QZ_IQ_BLOCK / t->group; ++b) {
        t->get(p, b, &g);
        f->sc[b] = (int16_t)(2 * g.scale + 1);
        for (size_t i = 0; i < t->group; i += size)
            magnitudes(t->grid, g.points[i / size], (unsigned)g.signs[i / 8] >> i % 8, f->q + b * t->group + i);
    }
}
static void form_pack(const qz_iq_form *t, const qz_block_fields *f, uint8_t *p) {
    const size_t size = t->grid->size;
    for (size_t b = 0; b < QZ_IQ_BLOCK / t->group; ++b) {
        qz_iq_group g = {.scale = (uint8_t)(f->sc[b] / 2)};
        for (size_t i = 0; i < t->group; i += size) {
            unsigned signs;
            g.points[i / size] = (uint16_t)point_of(t->grid, f->q + b * t->group + i, &signs);
            g.signs[i / 8] |= (uint8_t)(signs << i % 8);
        }
        t->put(&g, b, b, p);
    }
}
static void iq1_s_unpack(const uint8_t *p, qz_block_fields *f) {
    for (size_t l = 0; l < 32; ++l) {
        const unsigned word = qz_load_u16le(p + 34 + l / 4 * 2);
        f->sc[l / 4] = (int16_t)(2 * (word >> 12 & 7) + 1);
        shifted(p[2 + l] | (word >> l % 4 * 3 & 7) << 8, word >> 15, f->q + 8 * l);
    }
}
static void iq1_s_pack(const qz_block_fields *f, uint8_t *p) {
    for (size_t b = 0; b < 8; ++b) {
        unsigned word = (unsigned)(f->sc[b] / 2) << 12;
        for (size_t l = 0; l < 4; ++l) {
            bool down;
            const unsigned point = shifted_of(f->q + 32 * b + 8 * l, &down);
            p[2 + 4 * b + l] = (uint8_t)point;
            word |= (point >> 8) << 3 * l | (down ? 0x8000u : 0);
        }
        qz_store_u16le(p + 34 + 2 * b, (uint16_t)word);
    }
}
static void iq1_m_unpack(const uint8_t *p, qz_block_fields *f) {
    unsigned h = 0;
    for (size_t i = 0; i < 4; ++i) h |= (unsigned)(qz_load_u16le(p + 48 + 2 * i) >> 12) << 4 * i;
    f->d = qz_f16_to_f32((uint16_t)h);
    for (size_t b = 0; b < 16; ++b) f->sc[b] = (int16_t)(2 * (qz_load_u16le(p + 48 + b / 4 * 2) >> b % 4 * 3 & 7) + 1);
    for (size_t l = 0; l < 32; ++l) {
        const unsigned n = p[32 + l / 2] >> l % 2 * 4 & 15;
        shifted(p[l] | (n & 7) << 8, n >> 3, f->q + 8 * l);
    }
}
static void iq1_m_pack(const qz_block_fields *f, uint8_t *p) {
    uint16_t words[4];
    for (size_t i = 0; i < 4; ++i) words[i] = (uint16_t)((qz_f32_to_f16(f->d) >> 4 * i & 15) << 12);
    for (size_t b = 0; b < 16; ++b) words[b / 4] |= (uint16_t)(f->sc[b] / 2 << b % 4 * 3);
    for (size_t i = 0; i < 4; ++i) qz_store_u16le(p + 48 + 2 * i, words[i]);
    for (size_t l = 0; l < 32; ++l) {
        bool down;
        const unsigned point = shifted_of(f->q + 8 * l, &down);
        p[l] = (uint8_t)point;
        p[32 + l / 2] |= (uint8_t)((point >> 8 | (down ? 8u : 0)) << l % 2 * 4);
    }
}

/* ---- tables ---- */
static uint8_t iq4_code(int16_t q) { return qz_iq4_nearest((float)q); }
static uint8_t fp4_code(int16_t q) { return qz_fp4_nearest((float)q, 1); }
/* Nibbles of `half` values and the `half` behind them. */
static void nibbles_get(const uint8_t *p, const int8_t *table, size_t half, int16_t *q) {
    for (size_t j = 0; j < half; ++j) q[j] = table[p[j] & 15], q[j + half] = table[p[j] >> 4];
}
static void nibbles_put(const int16_t *q, uint8_t (*code)(int16_t), size_t half, uint8_t *p) {
    for (size_t j = 0; j < half; ++j) p[j] = (uint8_t)(code(q[j]) | code(q[j + half]) << 4);
}
static void iq4_xs_unpack(const uint8_t *p, qz_block_fields *f) {
    for (size_t b = 0; b < 8; ++b) {
        f->sc[b] = (int16_t)(((p[4 + b / 2] >> b % 2 * 4 & 15) | (qz_load_u16le(p + 2) >> 2 * b & 3) << 4) - 32);
        nibbles_get(p + 8 + 16 * b, qz_iq4_values, 16, f->q + 32 * b);
    }
}
static void iq4_xs_pack(const qz_block_fields *f, uint8_t *p) {
    unsigned high = 0;
    for (size_t b = 0; b < 8; ++b) {
        const unsigned l = (unsigned)(f->sc[b] + 32);
        p[4 + b / 2] |= (uint8_t)((l & 15) << b % 2 * 4);
        high |= (l >> 4) << 2 * b;
        nibbles_put(f->q + 32 * b, iq4_code, 16, p + 8 + 16 * b);
    }
    qz_store_u16le(p + 2, (uint16_t)high);
}
static void nvfp4_unpack(const uint8_t *p, qz_block_fields *f) {
    f->d = 1;
    for (size_t b = 0; b < 4; ++b) {
        f->sc[b] = (p[b] & 0x7f) < 0x7f ? p[b] & 0x7f : 0; /* its NaN decodes to 0 */
        nibbles_get(p + 4 + 8 * b, qz_fp4_values, 8, f->q + 16 * b);
    }
}
static void nvfp4_pack(const qz_block_fields *f, uint8_t *p) {
    for (size_t b = 0; b < 4; ++b) {
        p[b] = (uint8_t)f->sc[b];
        nibbles_put(f->q + 16 * b, fp4_code, 8, p + 4 + 8 * b);
    }
}

void qz_book_unpack(qz_type t, const uint8_t *p, qz_block_fields *f) {
    f->dmin = 0;
    memset(f->m, 0, sizeof f->m);
    f->sc[0] = 1;
    f->d = t == QZ_TYPE_TQ1_0 ? qz_f16_at(p + 52) : t == QZ_TYPE_TQ2_0 ? qz_f16_at(p + 64) : qz_f16_at(p);
    const qz_iq_form *form = form_of(t);
    if (form) {
        form_unpack(form, p, f);
        return;
    }
    switch ((int)t) {
    case QZ_TYPE_IQ1_S: iq1_s_unpack(p, f); break;
    case QZ_TYPE_IQ1_M: iq1_m_unpack(p, f); break;
    case QZ_TYPE_IQ4_NL: nibbles_get(p + 2, qz_iq4_values, 16, f->q); break;
    case QZ_TYPE_IQ4_XS: iq4_xs_unpack(p, f); break;
    case QZ_TYPE_MXFP4: f->d = qz_e8m0_half(p[0]), nibbles_get(p + 1, qz_fp4_values, 16, f->q); break;
    case QZ_TYPE_NVFP4: nvfp4_unpack(p, f); break;
    case QZ_TYPE_TQ1_0: case QZ_TYPE_TQ2_0: qz_tq_get(t == QZ_TYPE_TQ1_0, p, f->q); break;
    case QZ_TYPE_Q2_0:
        for (size_t e = 0; e < 64; ++e) f->q[e] = (int16_t)((p[2 + e / 4] >> e % 4 * 2 & 3) - 1);
        break;
    case QZ_TYPE_Q1_0:
        for (size_t e = 0; e < 128; ++e) f->q[e] = (int16_t)(p[2 + e / 8] >> e % 8 & 1 ? 1 : -1);
        break;
    default: break;
    }
}

void qz_book_pack(qz_type t, const qz_block_fields *f, uint8_t *p) {
    memset(p, 0, qz_type_get(t)->bytes);
    if (t != QZ_TYPE_IQ1_M && t != QZ_TYPE_MXFP4 && t != QZ_TYPE_NVFP4)
        qz_f16_put(p + (t == QZ_TYPE_TQ1_0 ? 52 : t == QZ_TYPE_TQ2_0 ? 64 : 0), f->d);
    const qz_iq_form *form = form_of(t);
    if (form) {
        form_pack(form, f, p);
        return;
    }
    switch ((int)t) {
    case QZ_TYPE_IQ1_S: iq1_s_pack(f, p); break;
    case QZ_TYPE_IQ1_M: iq1_m_pack(f, p); break;
    case QZ_TYPE_IQ4_NL: nibbles_put(f->q, iq4_code, 16, p + 2); break;
    case QZ_TYPE_IQ4_XS: iq4_xs_pack(f, p); break;
    case QZ_TYPE_MXFP4: p[0] = qz_e8m0_code(f->d), nibbles_put(f->q, fp4_code, 16, p + 1); break;
    case QZ_TYPE_NVFP4: nvfp4_pack(f, p); break;
    case QZ_TYPE_TQ1_0: case QZ_TYPE_TQ2_0: qz_tq_put(t == QZ_TYPE_TQ1_0, f->q, p); break;
    case QZ_TYPE_Q2_0:
        for (size_t e = 0; e < 64; ++e) p[2 + e / 4] |= (uint8_t)((f->q[e] + 1) << e % 4 * 2);
        break;
    case QZ_TYPE_Q1_0:
        for (size_t e = 0; e < 128; ++e) p[2 + e / 8] |= (uint8_t)((f->q[e] > 0) << e % 8);
        break;
    default: break;
    }
}
