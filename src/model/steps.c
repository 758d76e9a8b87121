#include "model/steps.h"
#include "base/map.h"
#include "base/size.h"
#include "codecs/types.h"
#include <stdio.h>
#include <string.h>

typedef struct { qz_coded base; qz_steps s; } stepped;
static const qz_steps *steps(const qz_coded *c) { return &((const stepped *)c)->s; }

static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    enum { PIECE = 256 };
    const qz_steps *s = steps(c);
    const qz_type_info *type = qz_type_get(s->type);
    uint8_t piece[4 * PIECE];
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t k = qz_min_size(PIECE, n - at);
        for (size_t i = 0; i < k; i++)
            memcpy(piece + i * type->bytes,
                   s->data + (row * s->row_step + (first + at + i) * s->col_step) * type->bytes, type->bytes);
        type->decode(piece, k, y + at);
    }
}
static void text(const qz_coded *c, char out[32]) { (void)snprintf(out, 32, "%s", qz_type_get(steps(c)->type)->name); }
static qz_type float_type(const qz_coded *c) { return steps(c)->type; }

/* From its first element to its last, others' between them too. */
static void forget(const qz_coded *c) {
    const qz_steps *s = steps(c);
    const size_t n = (s->rows - 1) * s->row_step + (s->cols - 1) * s->col_step + 1;
    qz_map_forget(s->data, n * qz_type_get(s->type)->bytes);
}

static void hash(const qz_coded *c, qz_sha256 *h) {
    const qz_steps *s = steps(c);
    const size_t bytes = qz_type_get(s->type)->bytes;
    for (size_t r = 0; r < s->rows; r++)
        for (size_t k = 0; k < s->cols; k++)
            qz_sha256_update(h, s->data + (r * s->row_step + k * s->col_step) * bytes, bytes);
}

/* A source's own kind: nothing writes it. */
static const qz_coded_ops ops = { .name = "floats by steps", .number = 0x73746570, .decode = decode, .text = text,
                                  .hash = hash, .float_type = float_type, .forget = forget };

const qz_coded *qz_steps_coded(const qz_steps *s, qz_arena *arena) {
    stepped *x = qz_arena_alloc(arena, 1, sizeof *x);
    if (!x) return NULL;
    *x = (stepped){ { &ops, s->rows, s->cols }, *s };
    return &x->base;
}

bool qz_tensor_floats(const qz_tensor_view *t) {
    return t->coded ? t->coded->ops == &ops : qz_floats_known(t->type);
}
