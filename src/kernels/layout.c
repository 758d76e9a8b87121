/* Packed weight layouts (layout.h): everything expands from layouts.def. */
#include "kernels/layout.h"
#include "base/half.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include <string.h>

enum {
#define QZ_TYPE(id, name, elems, bytes, ...) ELEMS_##id = elems, BYTES_##id = bytes,
#include "codecs/types.def"
#undef QZ_TYPE
};
enum { SCALES = 2, NIBBLES = 18, WIDE = 146, NARROW = 16 }; /* of 256 values; bytes of 32 without their scales */

static const qz_layout layouts[] = {
#define QZ_LAYOUT(id, heads, h0, h1, ...)                                                        \
    {QZ_TYPE_##id, heads,       {h0, h1},  {__VA_ARGS__}, ELEMS_##id, BYTES_##id, BYTES_##id * QZ_PANEL, \
     ELEMS_##id,   BYTES_##id,  false,     false},
#include "kernels/layouts.def"
#define QZ_WRITTEN(id, elems, heads, bf16)                                                       \
    {QZ_TYPE_##id,                                                                               \
     heads,                                                                                      \
     {0, 2},                                                                                     \
     {{2 * heads, elems == 256 ? 16 : NARROW}, {NIBBLES, elems == 256 ? 128 : 0}, {0, 0}},       \
     elems,                                                                                      \
     elems == 256 ? WIDE : NARROW + 2 * heads,                                                   \
     (elems == 256 ? WIDE : NARROW + 2 * heads) * QZ_PANEL,                                      \
     ELEMS_##id,                                                                                 \
     BYTES_##id,                                                                                 \
     true,                                                                                       \
     bf16},
#include "kernels/layouts.def"
};

const qz_layout *qz_layout_get(qz_type t) {
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; ++i)
        if (layouts[i].type == t) return &layouts[i];
    return NULL;
}

void qz_layout_table_get(const qz_layout *l, qz_layout_table *out) {
    const qz_block_shape *s = qz_block_shape_get(l->type);
    *out = (qz_layout_table){.unit = s->unit, .fine = s->q_min >= -63 && s->q_max <= 63};
    memcpy(out->values, s->book->values, s->book->n_values);
}

/* ---- written out ---- */
/* Places of q [n] (256 or 32) in the table, two to a byte. */
static void put_places(const qz_block_book *book, const int16_t *q, size_t n, uint8_t *out) {
    uint8_t place[QZ_FIELDS_MAX] = {0};
    for (size_t v = 1; v < book->n_values; ++v)
        for (size_t k = 0; k < n; ++k) place[k] = (uint8_t)(place[k] + (q[k] >= book->values[v]));
    for (size_t w = 0; w < n / 8; ++w)
        for (size_t j = 0; j < 4; ++j) out[4 * w + j] = (uint8_t)(place[8 * w + j] | place[8 * w + 4 + j] << 4);
}

/* Values [at, at + elems) of a block of the type. */
static void write_out(const qz_layout *l, const uint8_t *block, size_t at, uint8_t *out) {
    const qz_block_shape *s = qz_block_shape_get(l->type);
    qz_block_fields f;
    qz_block_unpack(l->type, block, &f);
    if (l->elems == 256) {
        qz_store_u16le(out, qz_f32_to_f16(f.d));
        for (size_t g = 0; g < 16; ++g) out[SCALES + g] = (uint8_t)(int8_t)f.sc[16 * g / s->sub_len];
        put_places(s->book, f.q, 256, out + NIBBLES);
        return;
    }
    for (size_t h = 0; h < l->heads; ++h) {
        const float scale = qz_block_step(s, &f, (at + 16 * h) / s->sub_len);
        qz_store_u16le(out + 2 * h, l->bf16 ? qz_f32_to_bf16(scale) : qz_f32_to_f16(scale));
    }
    put_places(s->book, f.q + at, 32, out + 2 * l->heads);
}

static void written_values(const qz_layout *l, const uint8_t *p, float *y) {
    const qz_block_shape *s = qz_block_shape_get(l->type);
    const uint8_t *nibbles = p + (l->elems == 256 ? (size_t)NIBBLES : 2u * l->heads);
    for (size_t k = 0; k < l->elems; ++k) {
        const size_t place = nibbles[k / 8 * 4 + k % 4] >> (k % 8 / 4 * 4) & 15;
        const float v = place < s->book->n_values ? (float)s->book->values[place] : 0;
        const uint16_t head = qz_load_u16le(p + (l->heads == 2 ? k / 16 * 2 : 0));
        const float d = l->bf16 ? qz_bf16_to_f32(head) : qz_f16_to_f32(head);
        y[k] = (l->elems == 256 ? d * s->unit * (float)(int8_t)p[SCALES + k / 16] : d) * v;
    }
}

/* ---- interleaved ---- */
void qz_layout_pack(const qz_layout *l, const uint8_t *src, size_t stride, size_t rows, size_t at, uint8_t *out) {
    const size_t first = at * l->elems;
    uint8_t own[WIDE];
    if (rows < QZ_PANEL) memset(out, 0, l->block_bytes);
    src += first / l->source_elems * l->source_bytes;
    for (size_t r = 0; r < rows; ++r, src += stride) {
        const uint8_t *from = src;
        uint8_t *h = out + 2 * r, *b = out + 2 * QZ_PANEL * l->heads + 4 * r;
        if (l->written) write_out(l, src, first % l->source_elems, own), from = own;
        for (size_t f = 0; f < l->heads; ++f, h += 2 * QZ_PANEL) memcpy(h, from + l->head_at[f], 2);
        for (size_t s = 0; s < 3; ++s)
            for (size_t w = 0; w < l->body[s].bytes; w += 4, b += 4 * QZ_PANEL) memcpy(b, from + l->body[s].at + w, 4);
    }
}

void qz_layout_values(const qz_layout *l, const uint8_t *block, size_t row, float *y) {
    const uint8_t *head = block + 2 * row, *body = block + 2 * QZ_PANEL * l->heads + 4 * row;
    uint8_t own[256];
    for (size_t f = 0; f < l->heads; ++f, head += 2 * QZ_PANEL) memcpy(own + l->head_at[f], head, 2);
    for (size_t s = 0; s < 3; ++s)
        for (size_t w = 0; w < l->body[s].bytes; w += 4, body += 4 * QZ_PANEL) memcpy(own + l->body[s].at + w, body, 4);
    if (l->written) written_values(l, own, y);
    else qz_type_get(l->type)->decode(own, l->elems, y);
}
