/* Floats whose rows and columns lie any steps apart: an expert's matrix that stands in one tensor with others, turned
 * or row by row between those of another. */
#include "artifacts/loose.h"
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

/* A source's own kind: nothing writes or hashes it (qz_loose_hash takes the stored tensors). */
static const qz_coded_ops ops = { .name = "floats by steps", .number = 0x73746570, .decode = decode, .text = text,
                                  .float_type = float_type, .forget = forget };

const qz_coded *qz_steps_coded(const qz_steps *s, qz_arena *arena) {
    stepped *x = qz_arena_alloc(arena, 1, sizeof *x);
    if (!x) return NULL;
    *x = (stepped){ { &ops, s->rows, s->cols }, *s };
    return &x->base;
}
