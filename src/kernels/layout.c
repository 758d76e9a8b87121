/* Packed weight layouts (layout.h): everything expands from layouts.def. */
#include "kernels/layout.h"
#include "codecs/types.h"
#include <string.h>

enum {
#define QZ_TYPE(id, name, elems, bytes, ...) ELEMS_##id = elems, BYTES_##id = bytes,
#include "codecs/types.def"
#undef QZ_TYPE
};

static const qz_layout layouts[] = {
#define QZ_LAYOUT(id, heads, h0, h1, ...) \
    {QZ_TYPE_##id, heads, {h0, h1}, {__VA_ARGS__}, ELEMS_##id, BYTES_##id, BYTES_##id * QZ_PANEL},
#include "kernels/layouts.def"
#undef QZ_LAYOUT
};

const qz_layout *qz_layout_get(qz_type t) {
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; ++i)
        if (layouts[i].type == t) return &layouts[i];
    return NULL;
}

void qz_layout_pack(const qz_layout *l, const uint8_t *src, size_t stride, size_t rows, uint8_t *out) {
    if (rows < QZ_PANEL) memset(out, 0, l->block_bytes);
    for (size_t r = 0; r < rows; ++r, src += stride) {
        uint8_t *h = out + 2 * r, *b = out + 2 * QZ_PANEL * l->heads + 4 * r;
        for (size_t f = 0; f < l->heads; ++f, h += 2 * QZ_PANEL) memcpy(h, src + l->head_at[f], 2);
        for (size_t s = 0; s < 3; ++s)
            for (size_t w = 0; w < l->body[s].bytes; w += 4, b += 4 * QZ_PANEL) memcpy(b, src + l->body[s].at + w, 4);
    }
}

void qz_layout_unpack(const qz_layout *l, const uint8_t *block, size_t row, uint8_t *out) {
    const uint8_t *head = block + 2 * row, *body = block + 2 * QZ_PANEL * l->heads + 4 * row;
    for (size_t f = 0; f < l->heads; ++f, head += 2 * QZ_PANEL) memcpy(out + l->head_at[f], head, 2);
    for (size_t s = 0; s < 3; ++s)
        for (size_t w = 0; w < l->body[s].bytes; w += 4, body += 4 * QZ_PANEL) memcpy(out + l->body[s].at + w, body, 4);
}
